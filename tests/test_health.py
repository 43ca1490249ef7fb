"""/healthz, /readyz and /metrics: what proxies, `make run` and Prometheus are told."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from quantasneaks import checks

pytestmark = pytest.mark.django_db(transaction=True)


def pids_of(folder: Path) -> list[int]:
    """The processes of a server whose files are in this folder, found by where they stand."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):  # gone, or none of ours
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder.resolve():
                found.append(int(entry.name))
    return found


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    pids = pids_of(folder)
    assert pids, "the server under test is not one of ours"
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # one that was ending when all stopped, and is reaped now
                os.kill(pid, signal.SIGCONT)


def ready(client: Client, expected: int = 200) -> dict[str, str]:
    answer = client.get("/readyz")
    assert answer.status_code == expected, answer.content
    body: dict[str, str] = json.loads(answer.content)
    return body


def test_a_running_process_is_healthy(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_shop_with_database_migrations_and_broker_is_ready(client: Client) -> None:
    assert ready(client) == {"status": "ready", "database": "ready", "broker": "ready", "migrations": "ready"}


def test_a_broker_that_does_not_answer_only_degrades(client: Client) -> None:
    with frozen(settings.DATA_DIR.valkey):
        begun = time.monotonic()
        body = ready(client)
        assert time.monotonic() - begun < 1  # the contract's second
    assert body == {"status": "degraded", "database": "ready", "broker": "unavailable", "migrations": "ready"}


def test_a_frozen_database_is_unavailable_within_a_second_and_threads_do_not_pile_up(client: Client) -> None:
    ready(client)
    with frozen(settings.DATA_DIR.postgres):
        ready(client, 503)
        threads = threading.active_count()
        for _ in range(3):
            begun = time.monotonic()
            body = ready(client, 503)
            assert time.monotonic() - begun < 1  # the contract's second
        assert threading.active_count() == threads
    assert body == {"status": "unavailable", "database": "unavailable", "broker": "ready", "migrations": "unknown"}
    checks.database.begin().exception(30)  # the check that hung ends when the database wakes
    assert ready(client)["status"] == "ready"


def test_a_pending_migration_is_unavailable(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    monkeypatch.setattr(checks, "_migrated", False)
    newest = MigrationRecorder(connection).migration_qs.filter(app="orders").order_by("-name")[0]
    newest.delete()
    try:
        assert ready(client, 503) == {
            "status": "unavailable",
            "database": "ready",
            "broker": "ready",
            "migrations": "pending",
        }
    finally:
        MigrationRecorder(connection).record_applied(newest.app, newest.name)
    assert ready(client)["migrations"] == "ready"


def test_metrics_are_read_from_the_database(client: Client) -> None:
    from tests.life import open_drop

    open_drop()
    text = client.get("/metrics").content.decode()
    assert 'quantasneaks_pairs{state="on_sale"} ' in text
    assert 'quantasneaks_orders{outcome="",state="shipped"} 0.0' in text
    assert 'quantasneaks_work_due{step="ship"} 0.0' in text
    assert 'quantasneaks_callbacks_open{kind="payment"} 0.0' in text


@pytest.mark.parametrize(
    ("peer", "forwarded", "allowed"),
    [
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("203.0.113.9", "", False),
        ("127.0.0.1", "203.0.113.9", False),  # our own proxy, asking for somebody outside
        ("127.0.0.1", "127.0.0.1, 203.0.113.9", False),  # who wrote the first hop themselves
        ("203.0.113.9", "127.0.0.1", False),
    ],
)
def test_metrics_are_for_this_machine(client: Client, peer: str, forwarded: str, allowed: bool) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = client.get("/metrics", headers=headers, REMOTE_ADDR=peer)
    assert answer.status_code == (200 if allowed else 403)


@pytest.mark.parametrize(("token", "shown", "status"), [("t0ken", "t0ken", 200), ("t0ken", "tok", 403), ("", "", 403)])
def test_metrics_are_for_who_has_the_token(client: Client, settings, token: str, shown: str, status: int) -> None:  # type: ignore[no-untyped-def]
    settings.METRICS_TOKEN = token
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {shown}"}, REMOTE_ADDR="203.0.113.9")
    assert answer.status_code == status
