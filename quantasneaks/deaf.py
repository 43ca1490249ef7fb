"""A worker that no longer hears its queue ends itself, and is started again by whoever keeps it.

When a broker freezes, Celery's main process can go on living without ever asking for messages again: its pool is idle,
messages wait, and no error is raised (met with Celery 5.7 and kombu 5.7 in `make chaos`, Redis frozen for 30 s). The
rows of the database are safe, but nobody would take them up until somebody restarts the worker by hand.
"""

import os
import threading
import time
from typing import Any

import structlog
from celery import Celery, signals
from celery.worker import state
from django.conf import settings
from kombu.exceptions import KombuError, OperationalError
from redis import RedisError

log = structlog.get_logger("orders")

LOOK_EVERY = 2  # seconds
DEAF_AFTER = 10  # seconds in which messages waited, nothing ran and nothing was heard
heard = time.monotonic()  # of the last message


@signals.task_received.connect
def hear(**_: Any) -> None:
    global heard
    heard = time.monotonic()


@signals.worker_ready.connect
def listen(sender: Any, **_: Any) -> None:
    """Begin to look, beside the worker's own loop."""
    queues = list(sender.app.amqp.queues.consume_from)
    threading.Thread(target=look, args=(sender.app, queues), daemon=True, name="deaf").start()


def look(app: Celery, queues: list[str]) -> None:
    hear()
    while True:
        time.sleep(LOOK_EVERY)
        if state.active_requests or not waiting(app, queues):
            hear()
        elif time.monotonic() - heard > DEAF_AFTER:
            log.error("worker hears nothing although messages wait; it ends to be started again")
            os._exit(os.EX_TEMPFAIL)  # the pool dies with it; an orderly end would wait for the broker


def waiting(app: Celery, queues: list[str]) -> bool:
    """Are there messages for this worker? A broker that does not answer has none."""
    try:
        with app.connection_for_read(transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS) as connection:
            client = connection.default_channel.client
            return any(client.llen(queue) for queue in queues)
    except (KombuError, OperationalError, RedisError, OSError):
        return False
