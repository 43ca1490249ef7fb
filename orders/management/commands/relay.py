"""The relay: hears PostgreSQL's notifications and rings Celery's bell, milliseconds after a commit."""

import signal
import time
from collections import Counter
from types import FrameType
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from orders.bell import TOGETHER, ring
from orders.states import FIRST, Step

log = structlog.get_logger("orders")

PAUSE = 0.5  # seconds between tries to reach a database that is away
LISTEN_FOR = 5.0  # seconds; how long a stop may have to wait for silence at most is less: a signal interrupts


class Stop(Exception):
    """SIGTERM or SIGINT."""


def stop(signum: int, frame: FrameType | None) -> None:
    raise Stop


class Command(BaseCommand):
    """Losing a notification costs a second: the sweep rings for whatever is due and untouched."""

    help = "Rings the workers' bell as soon as work is committed."

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        try:
            while True:
                try:
                    self.relay()
                except psycopg.OperationalError as error:
                    log.warning("database does not answer", error=type(error).__name__)
                    time.sleep(PAUSE)
        except Stop:
            log.info("relay stopped")

    def relay(self) -> None:
        """Listen until the database goes away. A burst of notifications becomes few messages."""
        parameters = connection.get_connection_params()
        parameters.pop("cursor_factory", None)
        parameters.pop("context", None)
        with psycopg.connect(**parameters, autocommit=True) as listener:
            listener.execute("LISTEN work")
            log.info("relay listens")
            while True:
                # All that came along with the first one. The generator holds the connection's lock until it ends.
                heard = Counter(told.payload for told in listener.notifies(timeout=LISTEN_FOR, stop_after=1))
                known = {Step(name): times for name, times in heard.items() if name in Step.values}
                ring(step for step, times in known.items() for _ in range(min(times, settings.WORKERS)))
                time.sleep(TOGETHER)
                ring(step for step in FIRST if step in known)  # a claim's bell also stands for those that came after it
