"""The sweep turns deadlines that passed into work, once each, and waits for nobody."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from orders.models import Callback, Order
from orders.states import Outcome, Step, Wait
from orders.sweep import sweep
from tests.bench.deadlines import MAKE
from tests.life import fresh, later, open_drop, place, settle, story

pytestmark = pytest.mark.usefixtures("strangers")


@pytest.fixture
def overdue() -> Order:
    """Its time to pay is over, and nobody has looked yet."""
    order = place(open_drop())
    settle()
    later(timedelta(hours=1, seconds=1))
    return order


def picked_up(order: Order) -> bool:
    return order.callbacks.get(kind=Wait.PAYMENT).picked_up_at is not None


def in_a_worker(do):
    """In another database session."""

    def run():
        try:
            return do()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(20)


def test_it_picks_up_what_is_due(overdue):
    assert sweep() == [Step.CHECK_PAYMENT]
    assert picked_up(overdue)
    assert overdue.work.get().step == Step.CHECK_PAYMENT


def test_what_is_not_due_is_left_alone(overdue):
    later(timedelta(minutes=-1))
    assert sweep() == []
    assert not picked_up(overdue)


def test_an_order_in_a_workers_hands_is_left_for_the_next_sweep(overdue):
    """Neither waits for the other: the worker, too, may be about to close the callback that is due."""
    with transaction.atomic():
        Order.objects.lock(overdue.number)
        assert in_a_worker(sweep) == []
        Callback.objects.filter(order=overdue).update(picked_up_at=None)  # waits where the sweep holds it
    assert sweep() == [Step.CHECK_PAYMENT]


def test_three_sweeps_are_as_good_as_one(overdue):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: in_a_worker(sweep), range(3)))
    assert overdue.work.count() == 1
    settle()
    assert fresh(overdue).outcome == Outcome.PAYMENT_TIMEOUT
    assert story(overdue).count("payment timed out") == 1


def test_a_sweep_that_finds_nothing_due_reads_none_of_those_that_wait():
    """However often it was asked, when PostgreSQL has made a plan that serves any time."""
    open_drop()
    with connection.cursor() as cursor:
        cursor.execute(MAKE, {"first": 1, "last": 3000})
        cursor.execute("ANALYZE orders_callback")
    before = read_without_an_index()
    for _ in range(20):
        assert sweep() == []
    assert read_without_an_index() == before


def read_without_an_index() -> int:
    """Callbacks, ever."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'orders_callback'")
        return int(cursor.fetchone()[0])
