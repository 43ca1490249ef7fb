"""What a customer may see of an order, and its status JSON. Never a score, a reason or a reviewer."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Subquery
from django.urls import reverse

from orders import clock
from orders.models import Callback, Order
from orders.states import CANCELLABLE, FINAL, State
from orders.storefront.refusals import NotFound
from orders.wording import message, size_number, size_text, where_the_money_is

POLL_AFTER_MS = {
    State.PROCESSING: 2_000,
    State.AWAITING_PAYMENT: 5_000,
    State.AWAITING_APPROVAL: 30_000,
    State.APPROVED: 2_000,
    State.COMPENSATING: 2_000,
}  # a final order needs no further look
SLOWEST_READER = 10  # seconds
UNKNOWN = "We know of no such order. Please check that the link is complete."


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
        return message(self.order.state, self.order.outcome)

    @property
    def money(self) -> str:
        return where_the_money_is(self.order)

    @property
    def size(self) -> str:
        return size_text(self.order.size)


def page_of(public_id: UUID | str) -> str:
    return reverse("orders:status", args=[public_id])


def see_order(public_id: str) -> Sight:
    """Find an order by its guest's credential, in one query: drop and payment are read only where they are shown.

    Raises NotFound.
    """
    deadline = Callback.objects.open().filter(order=OuterRef("pk")).values("deadline_at")[:1]
    try:
        orders = Order.objects.annotate(deadline=Subquery(deadline), seen_at=clock.expression())
        order = orders.get(public_id=as_handed_out(public_id))
    except Order.DoesNotExist as error:
        raise NotFound(UNKNOWN) from error
    return Sight(order=order, deadline=order.deadline, now=order.seen_at)


def as_handed_out(public_id: str) -> str:
    """An id in no other spelling than that of our links. Raises NotFound."""
    try:
        if str(UUID(public_id)) == public_id:
            return public_id
    except ValueError:
        pass
    raise NotFound(UNKNOWN)


# Written out, because nothing is asked more often, and building it anew would cost more than running it. As subqueries:
# to plan the joins would cost PostgreSQL twice as much.
STATUS = """
SELECT state, outcome, size, pair_number, created_at,
       (SELECT url FROM orders_payment WHERE order_id = number),
       (SELECT deadline_at FROM orders_callback WHERE order_id = number AND resolved_at IS NULL)
FROM orders_order WHERE public_id = %s
"""


def read_status(public_id: str) -> dict[str, Any]:
    """Exactly these ten keys in every state, by the guest's credential, in one statement. Raises NotFound."""
    with connection.cursor() as cursor:
        cursor.execute(STATUS, [as_handed_out(public_id)])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(UNKNOWN)
    return status_json(public_id, *row)


def status_json(
    public_id: str,
    state: str,
    outcome: str,
    size: Decimal,
    pair_number: int,
    created_at: datetime,
    url: str | None,
    deadline: datetime | None,
) -> dict[str, Any]:
    """The ten keys, of the columns above."""
    return {
        "orderId": public_id,
        "status": state,
        "outcome": outcome or None,
        "size": size_number(size),
        "pairNumber": pair_number,
        "createdAt": iso(created_at),
        "paymentUrl": url if state == State.AWAITING_PAYMENT else None,
        "deadline": iso(deadline) if deadline else None,
        "pollAfterMs": POLL_AFTER_MS.get(State(state)),
        "message": message(state, outcome),
    }


def status_of_claimed(order: Order) -> dict[str, Any]:
    """The same of an order in hand: one in processing has no page and no deadline yet."""
    if order.state != State.PROCESSING:
        return read_status(str(order.public_id))
    return status_json(
        str(order.public_id), order.state, "", order.size, order.pair_number, order.created_at, None, None
    )


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
