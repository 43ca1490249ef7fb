"""The Celery application. Its settings stand in settings.py under CELERY_."""

import ctypes
import os
import signal
import sys
from typing import Any

from celery import Celery, signals
from celery.app.amqp import AMQP
from kombu.connection import Connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantasneaks.settings")

LONGEST_PAUSE = 4  # seconds between tries to reach a broker that is away


class ImpatientConnection(Connection):
    """Celery's pauses between tries grow to 30 s, and no setting bounds them: Redis would be back long before."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        return super().ensure_connection(*args, interval_max=LONGEST_PAUSE, **options)  # type: ignore[no-untyped-call]


class Broker(AMQP):  # type: ignore[misc]
    Connection = ImpatientConnection


app = Celery("quantasneaks", amqp=Broker)
app.config_from_object("django.conf:settings", namespace="CELERY")
# Keeps connections to PostgreSQL between tasks. Celery asks for this very name, which none of the settings can have.
app.add_defaults({"CELERY_DB_REUSE_MAX": 1_000_000})
app.autodiscover_tasks()

PR_SET_PDEATHSIG = 1


@signals.worker_process_init.connect
def die_with_the_worker(**_: Any) -> None:
    """A pool process must not outlive a killed worker: it would hold its order's lock for ever."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@signals.worker_init.connect
def end_when_deaf(**_: Any) -> None:
    import quantasneaks.deaf  # noqa: F401  # its signals; only a worker needs Celery's worker loaded


@signals.setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Celery would replace the log format; being connected here is what keeps ours."""


@signals.task_prerun.connect
def forget_broken_connections(**_: Any) -> None:
    """Connections are kept between tasks; one that PostgreSQL's restart broke is dropped first."""
    from django.db import close_old_connections

    close_old_connections()
