"""The score in two sentences, with what a reviewer may look at. They explain it; no score changes by them.

The words are the shop's own, made from the reasons, unless a language model wrote some (see analyst.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices

from orders.models import Evidence, Order


class Check(TextChoices):
    """What a reviewer may look at before deciding."""

    LINKED_ORDERS = "linked_orders", "Look at the linked orders and at how they were decided"
    ADDRESS = "address", "Compare the addresses: a house of flats, or one door in many spellings?"
    NAMES = "names", "Compare the names behind the shared browser, phone or card: a family?"
    NETWORK = "network", "Think of who shares a network: an office, a hall of residence, a mobile carrier"
    MAILBOX = "mailbox", "Write to the mailbox and see whether a person answers"
    TOOLS = "tools", "Think of autofill and of privacy tools, which look like a program, too"


# By the beginning of a feature's name.
CHECKS = {
    "link_": Check.LINKED_ORDERS,
    "address_": Check.ADDRESS,
    ("phone_", "device_", "card_"): Check.NAMES,
    ("ip_", "net_", "attempts_", "burst"): Check.NETWORK,
    ("email_", "domain_"): Check.MAILBOX,
    ("page_", "script_", "headers_", "honeypot", "contradictions", "foreign_"): Check.TOOLS,
}


@dataclass(frozen=True)
class Explanation:
    """What a reviewer reads. `evidence` names the features it rests on."""

    summary: str
    evidence: list[str]
    checks: list[Check]
    by_model: bool = False


def explanation_of(order: Order) -> Explanation | None:
    """A language model's words about the score that the order has now, else the shop's own; None without a score."""
    evidence: Evidence | None = getattr(order, "evidence", None)
    if order.score is None or evidence is None:
        return None
    written = evidence.explanation
    if written and written["score"] == order.score:
        checks = [Check(check) for check in written["checks"]]
        return Explanation(written["summary"], written["evidence"], checks, by_model=True)
    return in_our_words(score=order.score, level=order.level, degraded=order.score_degraded, reasons=evidence.reasons)


def in_our_words(*, score: int, level: str, degraded: bool, reasons: Sequence[dict[str, Any]]) -> Explanation:
    """Two sentences: what raised the score, and what lowered it or how far to trust it."""
    raised = [reason for reason in reasons if reason["contribution"] > 0]
    lowered = [reason for reason in reasons if reason["contribution"] < 0]
    begin = f"The score is {level} ({score} of 99)"
    first = f"{begin}; what raised it: {listed(raised)}." if raised else f"{begin}, and nothing raised it."
    if degraded:
        second = "The scorer failed or had to make do with the rules, so look at the order itself."
    elif lowered:
        second = f"What speaks for the customer: {listed(lowered)}."
    else:
        second = "Nothing that was measured speaks for the customer in particular."
    names = [reason["feature"] for reason in raised]
    checks = dict.fromkeys(check for name in names for start, check in CHECKS.items() if name.startswith(start))
    return Explanation(f"{first} {second}", [reason["feature"] for reason in reasons], [*checks])


def listed(reasons: Sequence[dict[str, Any]]) -> str:
    *others, last = (reason["text"] for reason in reasons)
    return f"{', '.join(others)} and {last}" if others else str(last)
