"""The relay on its own: what it hears on PostgreSQL's channel it rings for."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper

from orders.bell import TOGETHER
from orders.management.commands import relay
from orders.states import Step
from tests.processes import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("told", "rings"),
    [
        pytest.param(Step.CHECK_PAYMENT, [[Step.CHECK_PAYMENT], []], id="once for what came"),
        pytest.param(Step.SCORE_RISK, [[Step.SCORE_RISK], [Step.SCORE_RISK]], id="a claim's again for who came after"),
        pytest.param("of a later release", [[], []], id="what it does not know it passes over"),
    ],
)
def test_the_relay_rings_for_what_it_hears(told: str, rings: list[list[Step]], monkeypatch):
    heard: list[list[Step]] = []
    moments: list[float] = []
    twice = threading.Event()

    def ring(steps: Iterable[Step]) -> bool:
        moments.append(time.monotonic())
        heard.append(list(steps))
        if len(heard) == 2:
            twice.set()
        return True

    monkeypatch.setattr(relay, "ring", ring)
    with a_relay() as cursor:
        cursor.execute("SELECT pg_notify('work', %s)", [told])
        assert twice.wait(5)
    assert heard[:2] == rings
    assert moments[1] - moments[0] >= TOGETHER


LISTENERS = "FROM pg_stat_activity WHERE query = 'LISTEN work' AND state = 'idle' AND datname = current_database()"


@contextmanager
def a_relay() -> Iterator[CursorWrapper]:
    """One that listens until the block ends; with a cursor to tell it something."""
    thread = threading.Thread(target=listen_until_cut_off)
    with connection.cursor() as cursor:
        thread.start()
        try:
            until(lambda: listens(cursor), "the relay listens")
            yield cursor
        finally:
            cursor.execute(f"SELECT pg_terminate_backend(pid) {LISTENERS}")
            thread.join(10)


def listens(cursor: CursorWrapper) -> bool:
    cursor.execute(f"SELECT count(*) {LISTENERS}")
    return bool(cursor.fetchone()[0])


def listen_until_cut_off() -> None:
    with pytest.raises(psycopg.OperationalError):
        relay.Command().relay()
