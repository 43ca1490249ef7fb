"""A row of the desk's list. Its HTML is made once for all who look, and again only when something in it is another."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.template.loader import render_to_string

from fulfillment.decisions import is_blind
from fulfillment.reviews import TimeLeft
from fulfillment.templatetags.desk import duration, money

REASONS = 3  # of the score, the strongest
KEPT = 2000  # rows, of a kilobyte or two each


@dataclass(frozen=True)
class Row:
    """Everything that a row shows, and nothing of who looks: what is not here cannot be in the HTML that is kept."""

    number: int
    public_id: UUID
    pair_number: int
    size: Decimal
    blind: bool
    score: int | None
    level: str
    degraded: bool
    reasons: tuple[str, ...]
    amount: str
    created_at: datetime
    age: str
    deadline_at: datetime
    left: str
    urgency: str
    payment: str
    lapses_at: datetime | None
    parked: bool
    locked_by: str | None
    first_approval: str | None
    linked: int | None
    query: str

    @classmethod
    def of(cls, order: Any, *, linked: int | None, query: str) -> "Row":
        """A listed order; `query` is what its link takes along."""
        time = TimeLeft(order.opened_at, order.deadline_at, order.now)
        blind, evidence = is_blind(order), getattr(order, "evidence", None)
        lapses: datetime | None = order.payment.capture_before
        return cls(
            number=order.number,
            public_id=order.public_id,
            pair_number=order.pair_number,
            size=order.size,
            blind=blind,
            score=None if blind else order.score,
            level="" if blind else order.level,
            degraded=order.score_degraded,
            reasons=tuple(reason["text"] for reason in evidence.reasons[:REASONS]) if evidence and not blind else (),
            amount=money(order.payment),
            created_at=order.created_at,
            age=roughly(order.now - order.created_at),
            deadline_at=order.deadline_at,
            left=roughly(time.left),
            urgency=time.urgency,
            payment=order.payment.state,
            lapses_at=lapses if lapses and lapses < order.deadline_at else None,
            parked=order.parked,
            locked_by=order.locked_by,
            first_approval=order.first_approval,
            linked=linked,
            query=query,
        )

    def html(self) -> str:
        return rendered(self)


def roughly(delta: timedelta) -> str:
    """To the minute: told by the second, each row would be another one each second. The page's script counts on."""
    return duration(delta) if delta >= timedelta(minutes=1) else "under 1 min"


@lru_cache(KEPT)
def rendered(row: Row) -> str:
    return render_to_string("fulfillment/_row.html", {"row": row})
