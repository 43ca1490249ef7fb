"""The model behind the score: rules with weights that a person can read, until one is trained.

The contributions of an order's features are added to a base; the sum is the logit. Each rule is a line through a few
points, flat beyond its ends, so no feature alone runs away, and more of it never lowers the score (except likeness,
where more is better, and a network that hundreds share). Missing features contribute nothing.

The points were fitted to invented sales of two makings and rounded by hand, see docs/decisions/0009.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

Points = tuple[tuple[float, float], ...]

HIGHEST = 99
MEDIUM, HIGH = 65, 75  # the least score of each level; a trained model may begin to say high later, never earlier


@dataclass(frozen=True)
class Assessment:
    """What a model thinks: `contributions` (the base included) add up to `logit`."""

    logit: float
    contributions: Mapping[str, float]

    @property
    def probability(self) -> float:
        return logistic(self.logit)


def logistic(logit: float) -> float:
    """The probability of a logit, however far out: e to the power of 710 is more than a float can hold."""
    tail = math.exp(-abs(logit))
    return (1 if logit >= 0 else tail) / (1 + tail)


class RiskModel(Protocol):
    """Anything that turns features into an assessment; it decides nothing. `high` is the least score of that level."""

    @property
    def high(self) -> int: ...

    def assess(self, features: Mapping[str, float | None]) -> Assessment: ...

    def explain(self, feature: str, value: float) -> str: ...


@dataclass(frozen=True)
class Rule:
    """What a feature's value adds to the logit, and how a reviewer is told."""

    points: Points
    text: str

    def contribution(self, value: float) -> float:
        (first, lowest), (last, highest) = self.points[0], self.points[-1]
        if value <= first:
            return lowest
        if value >= last:
            return highest
        for (left, low), (right, high) in pairwise(self.points):
            if value <= right:
                return low + (high - low) * (value - left) / (right - left)
        raise AssertionError("the points are sorted")


# An order about which nothing is known scores 2.
BASE = -3.9

# One IP address or network is shared by halls, offices and carriers: all of these rules together add 3.6 at most,
# which is a low score still. It takes something else beside them. Hundreds share a proxy in front of the shop.
RULES: dict[str, Rule] = {
    "ip_1m": Rule(((2, 0), (10, 0.1)), "{n} customers from one IP address within a minute"),
    "ip_10m": Rule(((6, 0), (20, 0.2)), "{n} customers from one IP address in 10 minutes"),
    "ip_sale": Rule(((3, 0), (10, 0.2), (50, 0.4)), "{n} customers from one IP address"),
    "net_10s": Rule(((3, 0), (10, 0.1)), "{n} customers from one network within 10 seconds"),
    "net_10m": Rule(((3, 0), (20, 0.5)), "{n} customers from one network in 10 minutes"),
    "net_sale": Rule(((2, 0), (6, 0.9), (20, 1.1), (50, 2.2), (200, 2.2), (400, 0)), "{n} customers from one network"),
    "attempts_10m": Rule(((15, 0), (60, 0.1)), "{n} claims from one IP address in 10 minutes"),
    # Families and flat-sharers are two or three, a house of flats a dozen.
    "address_sale": Rule(
        ((1, 0), (2, 0.1), (3, 0.5), (5, 0.9), (15, 1.5), (20, 3.0), (50, 5.4)),
        "{n} customers at one address, in any spelling",
    ),
    "phone_sale": Rule(
        ((1, 0), (2, 0.1), (3, 0.7), (4, 1.5), (6, 3.3), (10, 4.4), (50, 6.6)), "{n} customers with one phone"
    ),
    # A family's own domain has a few, a firm's a dozen.
    "email_domain": Rule(
        ((4, 0), (10, 0.2), (20, 1.0), (50, 3.5)), "{n} customers with mailboxes of one private domain"
    ),
    "email_orders": Rule(((2, 0), (5, 0.4)), "{n} orders from one mailbox"),
    "email_disposable": Rule(((0, 0), (1, 1.7)), "throw-away e-mail address"),
    "email_digits": Rule(((0.3, 0), (0.7, 0.4)), "the e-mail address is {percent} digits"),
    "email_entropy": Rule(((3.4, 0), (4.0, 0.1)), "the e-mail address looks random"),
    "email_likeness": Rule(((0.4, 0), (0.9, -0.5)), "the e-mail address resembles the name"),
    # Seconds. Autofill takes a person three to eight of them.
    "page_to_submit": Rule(
        ((1, 2.4), (2, 2.0), (3, 1.1), (5, 0.4), (15, 0)), "form sent {n} s after the page was loaded"
    ),
    "script_client": Rule(((0, 0), (1, 1.1)), "sent by a program, not by a browser"),
    "headers_missing": Rule(((0, 0), (2, 0.3)), "headers that every browser sends are missing"),
    "honeypot": Rule(((0, 0), (1, 2.5)), "a field that people cannot see was filled"),
    # Never by a person: each page has its own. Who has none, or a late one, may just be quick or slow.
    "ticket_invalid": Rule(((0, 0), (1, 1.5)), "a proof of work that is not solved, or not ours"),
    "ticket_sale": Rule(((1, 0), (2, 1.0), (5, 2.0)), "{n} customers with the proof of work of one page"),
    # A family shares a browser, and a card.
    "device_sale": Rule(((1, 0), (2, 0.4), (3, 1.0), (6, 3.3), (10, 4.2), (50, 6.2)), "{n} customers in one browser"),
    "card_sale": Rule(
        ((1, 0), (2, 0.1), (3, 0.5), (4, 1.2), (6, 2.3), (10, 3.3), (50, 5.4)), "{n} customers with one card"
    ),
    # Linked by several kinds of keys, each of which has its own rule above: the chain itself adds little.
    "link_size": Rule(((4, 0), (8, 0.3), (20, 0.7), (50, 0.9)), "{n} customers linked with each other"),
    "link_rejected": Rule(((0, 0), (1, 0.6), (3, 1.5)), "{n} linked orders were rejected"),
    "burst": Rule(((2, 0), (5, 0.1)), "{n} customers with one program from one network within a second"),
    "domain_1h": Rule(
        ((10, 0), (20, 0.4), (50, 1.5)), "{n} customers with mailboxes of one private domain within an hour"
    ),
    # Each of them has honest exceptions; three at once hardly.
    "contradictions": Rule(((1, 0), (2, 0.5), (3, 1.6), (5, 2.8)), "the browser contradicts itself in {n} places"),
    "foreign_clock": Rule(((0, 0), (1, 0.1)), "the browser's clock runs in another country than the parcel's"),
}


def fingerprint() -> str:
    """Of the numbers: a stored score tells by which points it was made."""
    numbers = repr((BASE, [(name, rule.points) for name, rule in RULES.items()]))
    return hashlib.sha256(numbers.encode()).hexdigest()[:8]


class WeightedRules:
    """The rules above as a model."""

    high = HIGH

    def assess(self, features: Mapping[str, float | None]) -> Assessment:
        contributions = {"base": BASE} | {
            name: rule.contribution(value) for name, rule in RULES.items() if (value := features.get(name)) is not None
        }
        return Assessment(logit=math.fsum(contributions.values()), contributions=contributions)

    def explain(self, feature: str, value: float) -> str:
        text = RULES[feature].text
        if value <= 1:
            text = text.replace("{n} customers", "no other customer")
        return text.format(n=f"{value:.3g}", percent=f"{value:.0%}")
