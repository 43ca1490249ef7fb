"""Many orders at once: each is decided by itself, by every rule, and says what became of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from fulfillment.decisions import decide_review, withdraw
from fulfillment.models import Decision
from orders.errors import Refused
from orders.models import Order

MOST = 100  # orders; one page of the desk


@dataclass(frozen=True)
class Line:
    """What became of one order, or would."""

    order: Order
    decision: Decision | None
    refusal: Refused | None

    @property
    def done(self) -> bool:
        return self.refusal is None


def decide_each(numbers: Iterable[int], reviewer: User, **words: Any) -> list[Line]:
    """The words are decide_review's; whoever is refused is left as it was, and the others go on."""
    return each(numbers, partial(decide_review, reviewer=reviewer, **words))


def preview(numbers: Iterable[int], reviewer: User, **words: Any) -> list[Line]:
    """What decide_each would do: it is done, and taken back before anybody sees it."""

    def rehearse(public_id: UUID) -> Decision:
        with transaction.atomic():
            decision = decide_review(public_id=public_id, reviewer=reviewer, **words)
            transaction.set_rollback(True)
        return decision

    return each(numbers, rehearse)


def withdraw_each(numbers: Iterable[int], reviewer: User) -> list[Line]:
    """Take back what this person decided and may still withdraw."""
    return each(numbers, partial(withdraw, reviewer=reviewer))


def each(numbers: Iterable[int], act: Callable[..., Decision]) -> list[Line]:
    """The act on each order by itself, in the order of their numbers; a refusal stops no other."""
    lines = []
    for order in Order.objects.filter(number__in=numbers).only("number", "public_id").order_by("number"):
        try:
            lines.append(Line(order, act(public_id=order.public_id), None))
        except Refused as refusal:
            lines.append(Line(order, None, refusal))
    return lines
