"""The request for an order's payment page: the same words each time, so that a repeat finds the same page."""

from django.conf import settings
from django.urls import reverse

from orders.models import Order, Payment
from orders.models.rows import insert
from orders.payments import payment_provider
from orders.payments.provider import PaymentSnapshot, Session
from orders.wording import size_text


def begin_payment(order: Order) -> None:
    """Fix the words of the request before the first try, so that each further try is the same request."""
    if hasattr(order, "payment"):
        return
    insert(
        Payment(
            order=order,
            amount=order.drop.price,
            currency=order.drop.currency,
            expires_at=order.now + max(settings.PAYMENT_TIMEOUT, settings.PAYMENT_PAGE_MINIMUM),
            updated_at=order.now,
        )
    )


def open_page(order: Order) -> Session:
    """Open the hosted page, or find the one that an earlier call with a lost answer opened.

    Raises Transient, Unknown or Permanent.
    """
    payment = order.payment
    status_page = settings.PUBLIC_URL + reverse("orders:status", args=[order.public_id])
    with payment.keyed("open_payment") as key:
        return payment_provider().create_session(
            number=order.number,
            amount=payment.amount,
            currency=payment.currency,
            description=f"{order.drop.name}, pair {order.pair_number:04d}, US {size_text(order.size)}",
            email=order.email,
            expires_at=payment.expires_at,
            success_url=status_page,
            cancel_url=status_page,
            key=key,
        )


def close_page(order: Order) -> PaymentSnapshot:
    """See to it that nobody can pay any more; says what the page is then."""
    with order.payment.keyed("expire") as key:
        return payment_provider().expire_session(order.payment.session_ref, key=key)
