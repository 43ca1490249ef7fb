"""Reading one order with everything that its decision needs. The queries are as many for a large group as for none."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Q

from fulfillment.amendments import may_cut, may_extend
from fulfillment.decisions import EDITS, is_blind, refuse_edited_order, refuse_second_decision
from fulfillment.linked import linked_with
from fulfillment.models import Decision, FirstLook
from fulfillment.reviews import TimeLeft
from orders.errors import Refused
from orders.models import Event, Order
from orders.risk import registry
from orders.risk.rules import HIGHEST, MEDIUM
from orders.states import State

MOST_EARLIER = 20  # orders of one customer
BAR = 100  # half the width of a reason's bar
STRONG = 1.0  # of the logit: a contribution that fills its side, unless there is a stronger one
STEPS = [timedelta(hours=hours) for hours in (1, 4, 12, 24)]  # of more time
SCORED = ("scored", "scored again")


@dataclass(frozen=True)
class Bar:
    """A reason with its number, drawn from the middle: to the right it raises the score."""

    text: str
    feature: str
    value: float
    contribution: float
    x: float
    width: float


@dataclass(frozen=True)
class Opinion:
    """The score as its reader needs it."""

    bars: list[Bar]
    angle: float  # of the needle, from the left
    higher_than: int | None  # per cent of this sale's other orders
    others: int
    model: str
    cause: str  # of being degraded
    high: int  # from this score on
    medium: int = MEDIUM
    highest: int = HIGHEST


def detail_of(order: Order, reader: User, left: TimeLeft | None) -> dict[str, Any]:
    """What the page shows beside the order, its payment and its decision. Notes the reader's first look."""
    if order.state == State.AWAITING_APPROVAL:
        FirstLook.objects.bulk_create([FirstLook(order=order, reviewer=reader, at=order.now)], ignore_conflicts=True)
    blind, events = is_blind(order), list(order.events.all())
    decisions = list(Decision.objects.filter(order=order).select_related("reviewer").order_by("id"))
    earlier = list(
        Order.objects.filter(customer_key=order.customer_key)
        .exclude(pk=order.pk)
        .select_related("drop")
        .only("number", "public_id", "state", "outcome", "created_at", "size", "drop__name")
        .order_by("-number")[: MOST_EARLIER + 1]
    )
    return {
        "blind": blind,
        "opinion": None if blind or order.score is None else opinion_of(order, events),
        "events": [without_score(event) for event in events] if blind else events,
        "linked": linked_with(order),
        "earlier": earlier[:MOST_EARLIER],
        "more_earlier": len(earlier) > MOST_EARLIER,
        "mails": order.mails.all(),
        "told": order.webhooks.defer("body").order_by("id"),
        "decisions": decisions,
        "barred": barred(order, reader, events, decisions),
        "may_cut": may_cut(reader),
        "extensions": extensions(order, left) if left and may_extend(reader) else None,
    }


def opinion_of(order: Order, events: list[Event]) -> Opinion:
    """Of a scored order."""
    reasons = order.evidence.reasons if hasattr(order, "evidence") else []
    full = max([STRONG, *(abs(reason["contribution"]) for reason in reasons)])
    score = order.score or 0
    sale = Order.objects.filter(drop=order.drop_id, score__isnull=False).exclude(pk=order.pk)
    counted = sale.aggregate(others=Count("pk"), lower=Count("pk", filter=Q(score__lt=score)))
    causes = [event.cause for event in events if event.what in SCORED and event.cause]
    return Opinion(
        bars=[bar(reason, full) for reason in reasons],
        angle=round(180 * score / HIGHEST, 1),
        higher_than=100 * counted["lower"] // counted["others"] if counted["others"] else None,
        others=counted["others"],
        model=order.evidence.model if hasattr(order, "evidence") else "",
        cause=causes[-1] if order.score_degraded and causes else "",
        high=registry.scorers().champion.model.high,
    )


def bar(reason: dict[str, Any], full: float) -> Bar:
    """A reason drawn so that a contribution of `full` fills its side."""
    width = round(BAR * abs(reason["contribution"]) / full, 1)
    return Bar(
        text=reason["text"],
        feature=reason["feature"],
        value=reason["value"],
        contribution=reason["contribution"],
        x=-width if reason["contribution"] < 0 else 0,
        width=width,
    )


def without_score(event: Event) -> Event:
    """The journal tells the score, too."""
    if event.what in SCORED:
        event.data = {}
    return event


def barred(order: Order, reader: User, events: list[Event], decisions: list[Decision]) -> str:
    """Why this reader does not decide the order; empty where nothing stands against it."""
    try:
        if any(event.what in EDITS for event in events):
            refuse_edited_order(order, reader)
        refuse_second_decision([decision for decision in decisions if decision.withdrawn_at is None], reader)
    except Refused as refusal:
        return str(refusal)
    return ""


def extensions(order: Order, left: TimeLeft) -> list[tuple[str, str]]:
    """Deadlines that the decision could have, and how much more time each is; none beyond the held money."""
    lapses: datetime | None = order.payment.capture_before
    if lapses is None or lapses <= left.deadline_at or left.deadline_at <= left.now:
        return []
    steps = [(left.deadline_at + step, f"{step // STEPS[0]} h more") for step in STEPS]
    offered = [(until, text) for until, text in steps if until < lapses]
    return [(until.isoformat(), text) for until, text in [*offered, (lapses, "as long as the money is held")]]
