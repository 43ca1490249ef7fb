"""The relay on its own: what it hears on PostgreSQL's channel it rings for."""

import threading
from collections.abc import Iterable

import psycopg
import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper

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
    twice = threading.Event()

    def ring(steps: Iterable[Step]) -> bool:
        heard.append(list(steps))
        if len(heard) == 2:
            twice.set()
        return True

    monkeypatch.setattr(relay, "ring", ring)
    with connection.cursor() as cursor:
        thread = threading.Thread(target=listen_until_cut_off)
        thread.start()
        until(lambda: listens(cursor), "the relay listens")
        cursor.execute("SELECT pg_notify('work', %s)", [told])
        assert twice.wait(5)
        cursor.execute(f"SELECT pg_terminate_backend(pid) {LISTENERS}")
        thread.join(10)
    assert heard[:2] == rings


LISTENERS = "FROM pg_stat_activity WHERE query = 'LISTEN work' AND state = 'idle' AND datname = current_database()"


def listens(cursor: CursorWrapper) -> bool:
    cursor.execute(f"SELECT count(*) {LISTENERS}")
    return bool(cursor.fetchone()[0])


def listen_until_cut_off() -> None:
    with pytest.raises(psycopg.OperationalError):
        relay.Command().relay()
