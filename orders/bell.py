"""The doorbell: a Celery message says that some step has work due. It carries nothing; the rows say what."""

from collections.abc import Iterable

import structlog
from celery import current_app
from kombu.exceptions import OperationalError

from orders.states import Step

log = structlog.get_logger("orders")

STALE = 30  # seconds after which an unheard bell is worth nothing; the sweep rings again


def ring(steps: Iterable[Step]) -> bool:
    """Ring once for each step named (a step named twice calls two workers). False: nobody can hear just now."""
    try:
        for step in steps:
            current_app.send_task(f"orders.{step}", expires=STALE)
    except OperationalError as error:
        log.warning("broker does not answer", error=type(error).__name__)
        return False
    return True
