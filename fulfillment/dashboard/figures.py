"""The sale in numbers. Each function is one query, however many orders there are."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db.models import Count, Max, Q, Sum

from fulfillment.models import Decision
from fulfillment.reasons import OVERRULED, Verdict
from orders.models import Drop, Payment, Work
from orders.payments.provider import PaymentState
from orders.states import Level, Outcome, PairState, State, Step

AGAINST_THE_SCORE = reduce(or_, (Q(verdict=verdict, level=level) for verdict, level in OVERRULED.items()))


@dataclass(frozen=True)
class Stock:
    """on sale + held + sold = all pairs; `stray` pairs are not in the state that their order says."""

    on_sale: int
    held: int
    sold: int
    total: int
    stray: int


def stock(drop: Drop) -> Stock:
    """Pairs and the orders that hold them, of one moment."""
    counts = list(drop.pairs.order_by().values_list("state", "orders__state").annotate(Count("pk")))
    states: Counter[str] = Counter()
    stray = 0
    for state, order, pairs in counts:
        states[state] += pairs
        expected = PairState.ON_SALE if order is None else PairState.SOLD if order == State.SHIPPED else PairState.HELD
        stray += pairs if state != expected or order == State.COMPENSATED else 0
    return Stock(
        states[PairState.ON_SALE],
        states[PairState.HELD],
        states[PairState.SOLD],
        total=sum(pairs for _, _, pairs in counts),
        stray=stray,
    )


@dataclass(frozen=True)
class Orders:
    by_state: Mapping[State, int]
    by_outcome: Mapping[Outcome, int]


def orders(drop: Drop) -> Orders:
    rows = list(drop.orders.order_by().values_list("state", "outcome").annotate(Count("pk")))
    return Orders(
        {state: sum(count for at, _, count in rows if at == state) for state in State},
        {outcome: sum(count for _, why, count in rows if why == outcome) for outcome in Outcome},
    )


@dataclass(frozen=True)
class Money:
    """Minor units of the drop's currency. Held is authorised and not charged; kept is charged and not returned."""

    held: int
    captured: int
    refunded: int

    @property
    def kept(self) -> int:
        return self.captured - self.refunded


def money(drop: Drop) -> Money:
    sums = Payment.objects.filter(order__drop=drop).aggregate(
        held=Sum("amount", filter=Q(state=PaymentState.AUTHORISED), default=0),
        captured=Sum("captured", default=0),
        refunded=Sum("refunded", default=0),
    )
    return Money(**sums)


@dataclass(frozen=True)
class Reviewer:
    """One person's standing decisions on this drop, first approvals of two included."""

    name: str
    approved: int
    rejected: int
    overruled: int  # approved at a high score, rejected at a low one
    clear: int  # decided at a high or a low score
    last_at: datetime

    @property
    def agreement(self) -> float | None:
        """Share of the decisions at a high or a low score that went with it."""
        return 1 - self.overruled / self.clear if self.clear else None


def reviewers(drop: Drop) -> list[Reviewer]:
    """Who decided most first."""
    rows = (
        Decision.objects.filter(order__drop=drop, withdrawn_at__isnull=True)
        .order_by()
        .values_list("reviewer__username")
        .annotate(
            approved=Count("pk", filter=Q(verdict=Verdict.APPROVE)),
            rejected=Count("pk", filter=Q(verdict=Verdict.REJECT)),
            overruled=Count("pk", filter=AGAINST_THE_SCORE),
            clear=Count("pk", filter=Q(level__in=[Level.LOW, Level.HIGH])),
            last_at=Max("decided_at"),
        )
    )
    return sorted((Reviewer(*row) for row in rows), key=lambda one: (-one.approved - one.rejected, one.name))


@dataclass(frozen=True)
class Backlog:
    """Of one step."""

    step: Step
    due: int
    waited: timedelta | None  # the oldest that is due
    retrying: int
    parked: int


def work(now: datetime) -> list[Backlog]:
    """Of every step that some order has before it, of all drops."""
    rows = {row["step"]: row for row in Work.objects.by_step(now)}
    return [
        Backlog(
            step,
            row["due"],
            now - row["oldest"] if row["oldest"] else None,
            row["retrying"],
            row["parked"],
        )
        for step in Step
        if (row := rows.get(step))
    ]
