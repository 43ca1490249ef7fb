"""Reading what waits for a decision, and one order with everything that a decision needs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Least

from fulfillment.models import Decision, ReviewLock
from orders import clock
from orders.models import Callback, Order
from orders.states import Level, State, Wait

LISTED = (
    "number",
    "public_id",
    "created_at",
    "pair_number",
    "size",
    "score",
    "level",
    "evidence__reasons",
    "score_degraded",
    "payment__amount",
    "payment__currency",
    "payment__state",
    "payment__capture_before",
)
SOON, URGENT = 0.5, 0.8  # shares of the time to decide


@dataclass(frozen=True)
class TimeLeft:
    """How long a decision has, on the database's clock."""

    opened_at: datetime
    deadline_at: datetime
    now: datetime

    @property
    def left(self) -> timedelta:
        return max(self.deadline_at - self.now, timedelta(0))

    @property
    def urgency(self) -> str:
        """The colour: half of the time is gone, four fifths, all of it."""
        used = (self.now - self.opened_at) / (self.deadline_at - self.opened_at)
        return "over" if used >= 1 else "urgent" if used >= URGENT else "soon" if used >= SOON else "calm"


def in_review(level: str = "") -> "QuerySet[Order, Any]":
    """Orders that a person may decide now, most urgent first; those past their deadline are the sweep's.

    An authorisation that lapses before the deadline moves its order up. Each comes with `opened_at`, `deadline_at` and
    `now`, the database's time.
    """
    orders = (
        Order.objects.filter(
            state=State.AWAITING_APPROVAL,
            callbacks__kind=Wait.APPROVAL,
            callbacks__resolved_at__isnull=True,
            callbacks__deadline_at__gt=clock.expression(),
        )
        .exclude(stored__isnull=False)  # decided; it takes effect in a moment
        .annotate(opened_at=F("callbacks__opened_at"), deadline_at=F("callbacks__deadline_at"))
        .annotate(now=clock.expression())  # type: ignore[no-redef]  # as Order.objects.lock() does
        .annotate(urgent_at=Least("callbacks__deadline_at", "payment__capture_before"))
        .order_by("urgent_at", F("score").desc(nulls_last=True), "number")
    )
    return orders.filter(level=level) if level in Level.values else orders


def listed(orders: "QuerySet[Order, Any]") -> "QuerySet[Order, Any]":
    """Only what the desk shows, in one query: `locked_by` and `first_approval` are names of colleagues, or None."""
    first = Decision.objects.filter(order=OuterRef("pk"), withdrawn_at__isnull=True, needs_second=True)
    lock = ReviewLock.objects.filter(order=OuterRef("pk"), until__gt=clock.expression())
    return (
        orders.select_related("payment", "evidence")
        .only(*LISTED)
        .annotate(
            first_approval=Subquery(first.values("reviewer__username")[:1]),
            locked_by=Subquery(lock.values("reviewer__username")[:1]),
        )
    )


def time_left(order: Order) -> TimeLeft | None:
    """For an order in review."""
    callback = Callback.objects.open().filter(order=order, kind=Wait.APPROVAL).annotate(now=clock.expression()).first()
    return TimeLeft(callback.opened_at, callback.deadline_at, callback.now) if callback else None
