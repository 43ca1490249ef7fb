"""A query that takes too long costs an order its score and no more: it goes on within ten seconds, and the journal says
why.
"""

import time
from contextlib import nullcontext

import psycopg
import pytest
from django.db import connection, transaction

from orders import clock
from orders.models import Work
from orders.risk import neighbours
from orders.risk.links import LOCK
from orders.risk.score import score_order, with_patience
from orders.states import State, Step
from tests.life import a_claim, fresh, one_step, open_drop, pay, place, settle

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


def two_paid_orders():
    """With one card, and nothing else in common; the payments are not looked at yet."""
    drop = open_drop({"9": 2})
    orders = [place(drop, a_claim(line1=f"{n} Elm Street", postcode=f"1000{n}")) for n in (1, 2)]
    settle()
    for order in orders:
        pay(order)
    return [fresh(order) for order in orders]


def recorded_in_time(orders):
    """The payments are recorded within ten seconds; says what the journal tells of scoring again."""
    begun = time.monotonic()
    settle()
    assert time.monotonic() - begun < 10
    assert {fresh(order).state for order in orders} == {State.AWAITING_APPROVAL}
    return [event.cause for order in orders for event in order.events.filter(what="scored again")]


def test_a_payment_is_recorded_while_the_features_take_long_and_the_score_before_stays(settings, monkeypatch):
    settings.RISK_COUNTS_CARDS = True
    orders = two_paid_orders()
    monkeypatch.setattr(neighbours, "FIND", "SELECT pg_sleep(60)")
    (cause,) = recorded_in_time(orders)  # who is looked at first is the only one with the card
    assert "TimeoutError" in cause
    for order in orders:
        after = fresh(order)
        assert (after.score, after.level, after.score_degraded) == (order.score, order.level, False)
        assert after.evidence.features == order.evidence.features


def test_a_payment_waits_neither_for_the_links_nor_for_the_signals(settings):
    settings.RISK_COUNTS_CARDS = True
    orders = two_paid_orders()
    with somebody_else() as other:
        other.execute(
            "SET idle_in_transaction_session_timeout = '15s'"
        )  # a payment that waits shall not do so for ever
        other.execute("SELECT pg_advisory_xact_lock(%s, %s)", LOCK)
        (cause,) = recorded_in_time(orders)
        assert "TimeoutError" in cause
    orders = two_paid_orders()
    with somebody_else() as other:
        other.execute("SET idle_in_transaction_session_timeout = '15s'")
        other.execute("SELECT FROM orders_claimsignals FOR UPDATE")
        assert all("TimeoutError" in cause for cause in recorded_in_time(orders))


def test_an_order_goes_on_while_somebody_holds_one_that_it_is_linked_with():
    drop = open_drop({"9": 3})
    first = place(drop, a_claim(phone="+1 415 555 2671"))
    settle()
    with somebody_else() as other:
        other.execute("SET idle_in_transaction_session_timeout = '15s'")
        other.execute("SELECT FROM orders_order WHERE number = %s FOR UPDATE", [first.number])
        begun = time.monotonic()
        later = [place(drop, a_claim(f"p{n}@gmail.com", phone="+1 415 555 2671")) for n in range(2)]
        settle()
        assert time.monotonic() - begun < 10
        assert {fresh(order).state for order in later} == {State.AWAITING_PAYMENT}
        assert not first.events.filter(what="scored again").exists()


def test_a_lost_database_is_no_slow_one(monkeypatch):
    order = place(open_drop())
    monkeypatch.setattr(neighbours, "FIND", "SELECT pg_terminate_backend(pg_backend_pid())")
    assert one_step(Step.SCORE_RISK)
    assert fresh(order).score is None, "the step is done again"
    monkeypatch.undo()
    settle()
    assert (fresh(order).state, fresh(order).score_degraded) == (State.AWAITING_PAYMENT, False)


@pytest.mark.parametrize("code", ["53100", "40P01"], ids=["disk full", "deadlock"])
def test_nor_is_every_operational_error_a_lost_database(monkeypatch, code):
    order = place(open_drop())
    monkeypatch.setattr(neighbours, "FIND", f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")
    score = score_order(order, clock.now())
    assert (score.score, score.is_stand_in, "OperationalError" in score.cause) == (50, True, True)


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
