"""When a worker counts as deaf: by looks, without a broker. That it then comes back is told in test_whole_shop.py."""

from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from unittest.mock import MagicMock, Mock

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from quantasneaks import celery as shop
from quantasneaks import deaf
from quantasneaks.deaf import DEAF_AFTER, LOOK_EVERY, Looks

ENOUGH = DEAF_AFTER // LOOK_EVERY  # looks, after the first


def running(*ids: str, limit: int | None = None) -> list[SimpleNamespace]:
    return [SimpleNamespace(id=each, time_limits=(limit, None)) for each in ids]


def looks_until_deaf(looks: Looks, *, most: int = 10_000, waiting=True, heard=7, active=()) -> int:
    return next((n for n in range(1, most) if looks.show_deaf(waiting, heard, active)), most)


def test_messages_that_wait_while_nothing_happens_show_a_deaf_worker():
    assert looks_until_deaf(Looks()) == 1 + ENOUGH


@pytest.mark.parametrize(
    "change", [{"waiting": False}, {"heard": 8}, {"active": running("a")}], ids=["none waits", "heard", "works"]
)
def test_whatever_happens_begins_the_count_anew(change):
    looks = Looks()
    assert looks_until_deaf(looks, most=ENOUGH) == ENOUGH
    assert not looks.show_deaf(**{"waiting": True, "heard": 7, "active": ()} | change)
    assert looks_until_deaf(looks, heard=8) >= ENOUGH


@pytest.mark.parametrize(("limit", "seconds"), [(None, 120), (3600, 3600)])
def test_who_works_may_hear_nothing_for_as_long_as_the_task_may_take_and_no_longer(settings, limit, seconds):
    settings.CELERY_TASK_TIME_LIMIT = 120
    active = [*running("a"), *running("b", limit=limit)]
    assert looks_until_deaf(Looks(), active=active) == 1 + (seconds + DEAF_AFTER) // LOOK_EVERY


def test_a_task_that_ends_after_long_begins_the_count_anew():
    looks = Looks()
    looks_until_deaf(looks, most=60, active=running("a"))
    assert looks_until_deaf(looks) == 1 + ENOUGH


class Exited(BaseException):
    """Of the process."""


class Undecided(BaseException):
    """The worker lives on."""


@pytest.fixture
def look(monkeypatch):
    """Look with these answers of the broker, while the clock leaps."""

    def look(*answers):
        remaining = iter(answers)

        def waiting(*_):
            answer = next(remaining, Undecided())
            if isinstance(answer, BaseException):
                raise answer
            return answer

        def exit_(code):
            raise Exited

        clock = SimpleNamespace(sleep=lambda _: None, monotonic=count(step=1000).__next__)
        monkeypatch.setattr(deaf, "time", clock)
        monkeypatch.setattr(deaf, "waiting", waiting)
        monkeypatch.setattr(deaf.os, "_exit", exit_)
        deaf.keep_looking(shop.app, [])

    return look


def test_a_process_that_was_stopped_as_a_whole_is_not_deaf(look):
    with pytest.raises(Undecided):
        look(*[True] * ENOUGH)


def test_a_look_that_fails_does_not_end_the_looking(look):
    with pytest.raises(Exited):
        look(True, ValueError("not thought of"), *[True] * ENOUGH)


def test_an_expired_message_is_heard():
    """By Celery's own way of dropping it."""
    app = Celery("expired", set_as_current=False)

    @app.task(name="never")
    def never() -> None: ...

    sent = app.amqp.as_task_v2("an id", "never", expires=datetime.now(UTC) - timedelta(hours=1))
    message = Mock(headers=sent.headers, properties=sent.properties, body=sent.body, payload=sent.body)
    before, worker = deaf.heard, MagicMock()
    worker.controller.state.revoked = set()
    never.start_strategy(app, worker)(message, None, Mock(), Mock(), [])
    assert worker.on_task_request.mock_calls == []
    assert deaf.heard == before + 1


def test_nothing_waits_at_a_broker_that_does_not_answer(monkeypatch):
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _: None)
    app = Celery("nowhere", broker="redis://127.0.0.1:1", set_as_current=False)
    app.conf.broker_connection_timeout = 0.1
    assert deaf.waiting(app, ["orders"]) is False


def test_the_broker_is_tried_again_sooner_than_a_worker_counts_as_deaf(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _: None)
    with shop.app.connection_for_read("redis://127.0.0.1:1") as connection, pytest.raises(OperationalError):
        connection.ensure_connection(lambda _, pause: pauses.append(pause), 20)
    assert max(pauses) == shop.LONGEST_PAUSE < DEAF_AFTER
