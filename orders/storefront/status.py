"""What a customer may see of an order, and its status JSON. Never a score, a reason or a reviewer."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.urls import reverse

from orders import clock
from orders.models import Callback, Order
from orders.states import CANCELLABLE, FINAL, State
from orders.storefront.refusals import NotFound
from orders.wording import message, size_text, where_the_money_is

POLL_AFTER_MS = {
    State.PROCESSING: 2_000,
    State.AWAITING_PAYMENT: 5_000,
    State.AWAITING_APPROVAL: 30_000,
    State.APPROVED: 2_000,
    State.COMPENSATING: 2_000,
}  # a final order needs no further look
SLOWEST_READER = 10  # seconds


@dataclass(frozen=True)
class Sight:
    """An order as its customer sees it."""

    order: Order
    deadline: datetime | None  # of what it waits for
    now: datetime

    @property
    def state(self) -> State:
        return State(self.order.state)

    @property
    def poll_after_ms(self) -> int | None:
        return POLL_AFTER_MS.get(self.state)

    @property
    def refresh_after(self) -> int:
        """Seconds, for a browser without JavaScript; not so often that it disturbs a reader."""
        return max((self.poll_after_ms or 0) // 1000, SLOWEST_READER)

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def cancellable(self) -> bool:
        return self.state in CANCELLABLE

    @property
    def payment_url(self) -> str | None:
        return self.order.payment.url if self.state == State.AWAITING_PAYMENT else None

    @property
    def message(self) -> str:
        return message(self.order)

    @property
    def money(self) -> str:
        return where_the_money_is(self.order)

    @property
    def size(self) -> str:
        return size_text(self.order.size)

    @property
    def url(self) -> str:
        return reverse("orders:status", args=[self.order.public_id])


def see_order(public_id: str | UUID) -> Sight:
    """Find an order by its guest's credential, in one query: drop and payment are read only where they are shown.

    Raises NotFound.
    """
    deadline = Callback.objects.open().filter(order=OuterRef("pk")).values("deadline_at")[:1]
    try:
        orders = Order.objects.annotate(deadline=Subquery(deadline), seen_at=clock.expression())
        order = orders.get(public_id=parse_id(str(public_id)))
    except Order.DoesNotExist as error:
        raise NotFound("We know of no such order. Please check that the link is complete.") from error
    return Sight(order=order, deadline=order.deadline, now=order.seen_at)


def parse_id(text: str) -> UUID:
    """Only the spelling that we hand out. Raises Order.DoesNotExist."""
    try:
        key = UUID(text)
    except ValueError as error:
        raise Order.DoesNotExist from error
    if str(key) != text:
        raise Order.DoesNotExist
    return key


def status_json(sight: Sight) -> dict[str, Any]:
    """Exactly these ten keys in every state."""
    order = sight.order
    whole = order.size == order.size.to_integral_value()
    return {
        "orderId": str(order.public_id),
        "status": order.state,
        "outcome": order.outcome or None,
        "size": int(order.size) if whole else float(order.size),
        "pairNumber": order.pair_number,
        "createdAt": iso(order.created_at),
        "paymentUrl": sight.payment_url,
        "deadline": iso(sight.deadline) if sight.deadline else None,
        "pollAfterMs": sight.poll_after_ms,
        "message": sight.message,
    }


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
