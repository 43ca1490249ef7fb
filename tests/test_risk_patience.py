"""A query that takes too long costs an order its score and no more: it goes on within ten seconds, and the journal says
why.
"""

import time
from contextlib import nullcontext

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from orders import clock
from orders.models import Work
from orders.risk import neighbours
from orders.risk.score import score_order, with_patience
from orders.states import State
from tests.life import a_claim, fresh, open_drop, pay, place, settle

pytestmark = pytest.mark.usefixtures("strangers")


def somebody_else() -> psycopg.Connection:
    parameters = connection.get_connection_params()
    parameters.pop("cursor_factory")
    parameters.pop("context")
    return psycopg.connect(**parameters)


def test_an_order_goes_on_while_its_features_are_locked():
    order = place(open_drop())
    with somebody_else() as other:
        other.execute("LOCK TABLE orders_claimsignals")
        begun = time.monotonic()
        settle()
        assert time.monotonic() - begun < 10
        order = fresh(order)
        assert (order.state, order.score, order.score_degraded) == (State.AWAITING_PAYMENT, 50, True)
    assert "TimeoutError" in order.events.get(what="scored").cause
    assert not Work.objects.exists()


def test_a_payment_is_recorded_while_the_features_take_long(settings, monkeypatch):
    settings.RISK_COUNTS_CARDS = True
    drop = open_drop({"9": 2})
    orders = [place(drop, a_claim()) for _ in range(2)]
    settle()
    monkeypatch.setattr(neighbours, "FIND", "SELECT pg_sleep(60)")
    for order in orders:
        pay(order)
    begun = time.monotonic()
    settle()
    assert time.monotonic() - begun < 10
    first, second = sorted(map(fresh, orders), key=lambda order: order.score_degraded)  # either is looked at first
    assert {first.state, second.state} == {State.AWAITING_APPROVAL}
    assert [order.score_degraded for order in (first, second)] == [False, True]
    assert "TimeoutError" in second.events.get(what="scored again").cause


def test_a_lost_database_is_no_slow_one(monkeypatch):
    order = place(open_drop())
    monkeypatch.setattr(neighbours, "FIND", "SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(OperationalError):
        score_order(order, clock.now())
    connection.close()


@pytest.mark.parametrize(
    ("query", "expectation"), [("1", nullcontext()), ("pg_sleep(60)", pytest.raises(TimeoutError))]
)
def test_what_follows_in_the_transaction_may_take_its_time(monkeypatch, query, expectation):
    monkeypatch.setattr("orders.risk.score.PATIENCE", "50ms")
    with transaction.atomic(), connection.cursor() as cursor:
        with expectation, with_patience():
            cursor.execute(f"SELECT {query}")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
