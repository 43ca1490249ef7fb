"""Orders in review and staff for the tests of the desk and the admin; the money is authorised without a provider."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client

from fulfillment.groups import FULFILLMENT
from orders.models import Drop, Evidence, Order, Payment
from orders.payments.provider import PaymentState
from orders.risk.score import level_of
from orders.states import Actor, Resolution
from tests.life import a_claim, place

REASONS = [
    {"feature": "ip_sale", "value": 12, "contribution": 1.31, "text": "12 customers from one IP address"},
    {"feature": "phone_sale", "value": 3, "contribution": 0.9, "text": "3 customers with one phone"},
    {"feature": "email_likeness", "value": 0.9, "contribution": -0.3, "text": "the e-mail address resembles the name"},
]


def in_review(drop: Drop, *, score: int = 70, time: timedelta | None = None, **claim: Any) -> Order:
    """A scored order whose money is authorised; the decision has `time`."""
    number = place(drop, a_claim(**claim)).number
    with transaction.atomic():
        order = Order.objects.lock(number)
        order.score, order.level = score, level_of(score)
        Evidence.objects.create(
            order=order, reasons=REASONS, features={"ip_sale": 12.0, "phone_sale": 3.0, "email_entropy": None}
        )
        order.commit()
    return authorise(number, time=time)


@transaction.atomic
def authorise(number: int, *, time: timedelta | None = None) -> Order:
    """The provider is said to hold the money: the order is in review."""
    order = Order.objects.lock(number)
    order.await_payment(deadline=order.now + settings.PAYMENT_TIMEOUT)
    order.close_callback(Resolution.SUCCESS)
    order.await_approval(deadline=order.now + (time or settings.APPROVAL_TIMEOUT))
    order.record("payment authorised", actor=Actor.PROVIDER, amount=order.drop.price)
    order.commit()
    Payment.objects.create(
        order=order,
        amount=order.drop.price,
        currency=order.drop.currency,
        expires_at=order.now,
        session_ref=f"cs_test_{uuid.uuid4().hex}",
        intent_ref=f"pi_{uuid.uuid4().hex[:24]}",
        state=PaymentState.AUTHORISED,
        updated_at=order.now,
    )
    return order


def a_user(
    name: str = "rita", *, group: str | None = None, email: str = "", password: str | None = None, **fields: Any
) -> User:
    """Somebody of the staff; without a password `browser` logs them in all the same."""
    user = User.objects.create_user(name, email, password, **({"is_staff": True} | fields))
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def a_reviewer(name: str = "rita", **fields: Any) -> User:
    return a_user(name, group=FULFILLMENT, **fields)


def browser(user: User | None = None, **options: Any) -> Client:
    """A client that is logged in as `user`."""
    client = Client(**options)
    if user:
        client.force_login(user)
    return client
