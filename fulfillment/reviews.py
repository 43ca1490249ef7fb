"""Reading what waits for a decision: which orders, in which order, how long each has, and whether any of it changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import (
    Count,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Least

from fulfillment.models import Decision, ReviewLock
from orders import clock
from orders.models import Callback, ClaimSignals, Order, Work
from orders.states import State, Wait

LISTED = (
    "number",
    "public_id",
    "state",
    "created_at",
    "pair_number",
    "size",
    "score",
    "level",
    "evidence__reasons",
    "evidence__explored",
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


def in_review() -> "QuerySet[Order, Any]":
    """Orders that a person may decide now, most urgent first; those past their deadline are the sweep's.

    An authorisation that lapses before the deadline moves its order up. Each comes with `opened_at`, `deadline_at` and
    `now`, the database's time.
    """
    return (
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


def listed(orders: "QuerySet[Order, Any]") -> "QuerySet[Order, Any]":
    """Only what the desk shows, in one query: `locked_by` and `first_approval` are names of colleagues, or None.

    `link` is the order's group of linked ones, whose size group_sizes knows.
    """
    lock = ReviewLock.objects.filter(order=OuterRef("pk"), until__gt=clock.expression())
    return (
        orders.select_related("payment", "evidence")
        .only(*LISTED)
        .annotate(
            first_approval=Subquery(FIRST_APPROVAL.values("reviewer__username")[:1]),
            locked_by=Subquery(lock.values("reviewer__username")[:1]),
            parked=Exists(PARKED),
            link=F("signals__link"),
        )
    )


def group_sizes(links: Iterable[int | None]) -> dict[int | None, int]:
    """How many orders each of these groups has. Apart from the rows, or each would count its group for itself."""
    return dict(ClaimSignals.objects.filter(link__in=set(links) - {None}).values_list("link").annotate(Count("pk")))


FIRST_APPROVAL = Decision.objects.filter(order=OuterRef("pk"), withdrawn_at__isnull=True, needs_second=True).order_by()
PARKED = Work.objects.filter(order=OuterRef("pk"), parked_at__isnull=False)


def used_up(share: float) -> Q:
    """Reviews of whose time this share is gone."""
    time = ExpressionWrapper(F("deadline_at") - F("opened_at"), output_field=DurationField())
    part = ExpressionWrapper(time * Value(share), output_field=DurationField())
    return Q(now__gte=ExpressionWrapper(F("opened_at") + part, output_field=DateTimeField()))


# A line for each table that a row is made of. Written out, because it is asked every few seconds for each reviewer, and
# building it anew would cost more than running it. It never comes back to what it was, for a lock that has ended and a
# decision that was withdrawn still count: rows are read after it, and may be newer than it says.
FINGERPRINT = """
WITH moment AS (SELECT statement_timestamp() + %(offset)s AS now),
     open AS (SELECT number, updated_at FROM orders_order WHERE state = 'awaiting_approval'),
     waits AS (SELECT deadline_at, extract(epoch FROM now - opened_at)
                      / extract(epoch FROM deadline_at - opened_at) AS used
               FROM orders_callback, moment WHERE kind = 'approval' AND resolved_at IS NULL)
SELECT md5(ROW(
    (SELECT ROW(count(*), sum(number), sum(extract(epoch FROM updated_at))) FROM open),
    (SELECT ROW(count(*) FILTER (WHERE used >= %(soon)s), count(*) FILTER (WHERE used >= %(urgent)s),
                count(*) FILTER (WHERE used >= 1), sum(extract(epoch FROM deadline_at))) FROM waits),
    (SELECT sum(extract(epoch FROM paid.updated_at)) FROM orders_payment paid JOIN open ON number = order_id),
    (SELECT ROW(count(*) FILTER (WHERE until > now), sum(extract(epoch FROM until)))
     FROM fulfillment_reviewlock JOIN open ON number = order_id, moment),
    (SELECT ROW(count(*), count(withdrawn_at)) FROM fulfillment_decision JOIN open ON number = order_id),
    (SELECT ROW(count(*), sum(link)) FROM orders_claimsignals WHERE link IS NOT NULL),
    (SELECT ROW(count(*), sum(order_id)) FROM orders_work WHERE parked_at IS NOT NULL)
)::text)
"""


def fingerprint() -> str:
    """Other whenever some row of the desk would be: one cheap query, whoever asks, however many rows."""
    values: dict[str, Any] = {"offset": clock.offset, "soon": SOON, "urgent": URGENT}
    with connection.cursor() as cursor:
        cursor.execute(FINGERPRINT, values)
        found: str = cursor.fetchone()[0]
    return found


def time_left(order: Order) -> TimeLeft | None:
    """For an order in review."""
    callback = Callback.objects.open().filter(order=order, kind=Wait.APPROVAL).annotate(now=clock.expression()).first()
    return TimeLeft(callback.opened_at, callback.deadline_at, callback.now) if callback else None
