"""A real worker process ends at each call of provider and carrier; another goes on, and nothing is paid twice."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.db import connection

from orders import clock
from orders.audit import audit
from orders.models import Order
from orders.payments import payment_provider
from orders.payments.paylab.models import Session
from orders.shipping.parcellab.models import Parcel
from orders.states import FINAL, Outcome, State, Step
from orders.sweep import sweep
from tests.chaos.dying_worker import DEAD
from tests.life import (
    approve,
    deliver_webhooks,
    fresh,
    later,
    one_step,
    open_drop,
    paid_order,
    pay,
    place,
    reject,
    settle,
)

pytestmark = [pytest.mark.usefixtures("strangers"), pytest.mark.chaos]

REFUSED = "REFUSE"  # a postcode that the carrier takes no parcel to


def claimed() -> Order:
    order = place(open_drop())
    one_step(Step.SCORE_RISK)
    return order


def paid() -> Order:
    order = place(open_drop())
    settle()
    pay(order)
    deliver_webhooks()
    return order


def overdue() -> Order:
    order = place(open_drop())
    settle()
    later(settings.PAYMENT_TIMEOUT + timedelta(seconds=1))
    sweep()
    return order


def approved() -> Order:
    order = paid_order(open_drop())
    approve(order)
    return order


def captured(postcode: str = "12345") -> Order:
    order = paid_order(open_drop(), postcode=postcode)
    approve(order)
    one_step(Step.CAPTURE_PAYMENT)
    return order


def to_refund() -> Order:
    order = captured(REFUSED)
    one_step(Step.SHIP)
    return order


def rejected() -> Order:
    order = paid_order(open_drop())
    reject(order)
    return order


POINTS = [
    (claimed, Step.OPEN_PAYMENT, "create_session"),
    (paid, Step.CHECK_PAYMENT, "fetch"),
    (overdue, Step.CHECK_PAYMENT, "expire_session"),
    (approved, Step.CAPTURE_PAYMENT, "capture"),
    (captured, Step.SHIP, "ship"),
    (rejected, Step.COMPENSATE, "expire_session"),
    (rejected, Step.COMPENSATE, "void"),
    (to_refund, Step.COMPENSATE, "cancel"),
    (to_refund, Step.COMPENSATE, "refund"),
]


def die_at(step: Step, call: str, moment: str, url: str) -> None:
    """A worker takes the step up and ends there."""
    ahead = str(clock.offset.total_seconds())
    words = [str(connection.settings_dict["NAME"]), url, ahead, str(step), call, moment]
    root = Path(__file__).parents[2]
    died = subprocess.run([sys.executable, "-m", "tests.chaos.dying_worker", *words], cwd=root, timeout=60, check=False)
    assert died.returncode == DEAD


@pytest.mark.parametrize("moment", ["before", "after", "recorded"])
@pytest.mark.parametrize(("begin", "step", "call"), POINTS, ids=lambda word: getattr(word, "__name__", str(word)))
def test_a_worker_ends_and_another_goes_on(strangers: Any, begin: Any, step: Step, call: str, moment: str) -> None:
    order = begin()
    die_at(step, call, moment, strangers.url)
    for _ in range(4):
        settle()
        later(timedelta(seconds=61))
    order = fresh(order)
    expected = {
        claimed: (State.AWAITING_PAYMENT, ""),
        paid: (State.AWAITING_APPROVAL, ""),
        overdue: (State.COMPENSATED, Outcome.PAYMENT_TIMEOUT),
        approved: (State.SHIPPED, ""),
        captured: (State.SHIPPED, ""),
        rejected: (State.COMPENSATED, Outcome.REJECTED),
        to_refund: (State.COMPENSATED, Outcome.ERROR),
    }[begin]
    assert (order.state, order.outcome) == expected
    page = httpx.get(f"{strangers.url}/orders/{order.public_id}/status").json()
    assert (page["status"], page["outcome"] or "") == expected, "the customer's page tells the truth"
    assert Session.objects.count() == 1, "one page, however often it was asked for"
    assert Parcel.objects.count() == (order.state == State.SHIPPED)
    for entry in payment_provider().ledger():
        assert (entry.captures, entry.refunds) == (
            (1, 0) if order.state == State.SHIPPED else (1, 1) if begin is to_refund else (0, 0)
        )
    assert order.state not in FINAL or order.mails.filter(kind__in=["send_confirmation", "send_apology"]).count() == 1
    assert audit().violations == []
