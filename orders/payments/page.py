"""The request for an order's payment page: the same words each time, so that a repeat finds the same page."""

from django.conf import settings
from django.urls import reverse

from orders.models import Order
from orders.payments import payment_provider
from orders.payments.provider import Session


def open_page(order: Order) -> Session:
    """Open the hosted page, or find the one that an earlier call with a lost answer opened.

    Raises Transient, Unknown or Permanent.
    """
    status_page = settings.PUBLIC_URL + reverse("orders:status", args=[order.public_id])
    return payment_provider().create_session(
        number=order.number,
        amount=order.payment.amount,
        currency=order.payment.currency,
        description=f"{order.drop.name}, pair {order.pair_number:04d}, US {order.size.normalize():f}",
        email=order.email,
        expires_at=order.payment.expires_at,
        success_url=status_page,
        cancel_url=status_page,
        key=f"{order.number}:open_payment",
    )
