"""A worker that no longer hears its queue ends itself, and is started again by whoever keeps it.

When a broker freezes, Celery's main process can go on living without ever asking for messages again: its pool is idle,
messages wait, and no error is raised (met with Celery 5.7 and kombu 5.7 in `make chaos`, Redis frozen for 30 s). The
rows of the database are safe, but nobody would take them up until somebody restarts the worker by hand.
"""

import os
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import structlog
from celery import Celery, signals
from celery.worker import state
from celery.worker.request import Request
from django.conf import settings
from kombu.exceptions import KombuError
from redis import RedisError

log = structlog.get_logger("orders")

LOOK_EVERY = 2  # seconds
DEAF_AFTER = 10  # seconds in which messages wait and nothing happens, beyond what the running tasks may take
heard = 0  # messages that this worker was given


@signals.task_received.connect
@signals.task_revoked.connect  # a message that has expired was heard, too
@signals.task_unknown.connect
@signals.task_rejected.connect
def hear(**_: Any) -> None:
    global heard
    heard += 1


@signals.worker_ready.connect
def listen(sender: Any, **_: Any) -> None:
    """Begin to look, beside the worker's own loop."""
    queues = list(sender.app.amqp.queues.consume_from)
    threading.Thread(target=keep_looking, args=(sender.app, queues), daemon=True, name="deaf").start()


def keep_looking(app: Celery, queues: list[str]) -> None:
    looks = Looks()
    while True:
        time.sleep(LOOK_EVERY)
        try:
            deaf = looks.show_deaf(waiting(app, queues), heard, tuple(state.active_requests))
        except Exception:
            log.exception("could not look whether the worker hears its queue; will look again")
            continue
        if deaf:
            log.error("worker hears nothing although messages wait; it ends to be started again")
            os._exit(os.EX_TEMPFAIL)  # the pool dies with it; an orderly end would wait for the broker


@dataclass
class Looks:
    """Looks in a row that saw messages wait and nothing happen.

    They are counted, and no time is taken: a process that was stopped as a whole has not been deaf meanwhile.
    """

    seen: object = None
    same: int = 0

    def show_deaf(self, waiting: bool, heard: int, active: Collection[Request]) -> bool:
        """Another look. A worker whose tasks run hears nothing while its pool is full, but no longer than they may."""
        seen = heard, {request.id for request in active}
        self.same = self.same + 1 if waiting and seen == self.seen else 0
        self.seen = seen
        limits = (request.time_limits[0] or settings.CELERY_TASK_TIME_LIMIT for request in active)
        return self.same * LOOK_EVERY >= max(limits, default=0) + DEAF_AFTER


def waiting(app: Celery, queues: list[str]) -> bool:
    """Are there messages for this worker? A broker that does not answer has none."""
    try:
        with app.connection_for_read() as connection:
            client = connection.default_channel.client
            return any(client.llen(queue) for queue in queues)
    except (KombuError, RedisError, OSError):
        return False
