"""What the shop leans on, asked with a bounded wait.

A frozen server cannot be asked for a time-out: the asking thread hangs until the server wakes or the connection
breaks. So each check has at most one thread, and whoever asks meanwhile waits for that one's answer, never longer
than their own patience.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from threading import Lock, Thread

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


class Check:
    """A question with the answer yes or no, or an exception for "cannot tell"."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self.ask = ask
        self.lock = Lock()
        self.asked: Future[bool] | None = None

    def begin(self) -> "Future[bool]":
        with self.lock:
            if self.asked is None or self.asked.done():
                self.asked = Future()
                Thread(target=self._answer, args=[self.asked], daemon=True).start()
            return self.asked

    def _answer(self, future: "Future[bool]") -> None:
        try:
            future.set_result(self.ask())
        except Exception as error:  # whatever it is: the answer is not yes
            future.set_exception(error)


def result(asked: "Future[bool]", deadline: float) -> bool | None:
    """The answer; None where there is none by the deadline (monotonic seconds)."""
    try:
        return asked.result(max(0, deadline - time.monotonic()))
    except Exception:  # a time-out, or what the check raised
        return None


def is_migrated() -> bool:
    """Whether the database answers (else it raises) and knows every migration. Runs in a thread of its own."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return _nothing_to_migrate()
    finally:
        connection.close()


def _nothing_to_migrate() -> bool:
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


_migrated = False  # migrations do not go away under a running process, so a yes is kept


@cache
def broker_client(patience: float) -> redis.Redis:
    """A plain client for the broker that Celery uses."""
    url = settings.REDIS_URL.replace("redis+socket://", "unix://")
    return redis.Redis.from_url(url, socket_timeout=patience, socket_connect_timeout=patience)


database = Check(is_migrated)
broker = Check(lambda: bool(broker_client(0.5).ping()))
