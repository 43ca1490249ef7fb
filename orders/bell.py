"""The doorbell: a Celery message says that there is work to do. It carries nothing; the rows say what.

Whoever hears it does all that is due in its queue. So bells that nobody has heard yet are enough for what comes now:
a busy worker needs none, and an outage piles up none.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError
from redis import RedisError

from orders.states import Step

log = structlog.get_logger("orders")

TOGETHER = 0.01  # seconds; the relay rings once for what it hears meanwhile, and a process for what it claims meanwhile


def ring(steps: Iterable[Step]) -> bool:
    """Ring once for each step named (a step named twice calls two workers). False: nobody can hear just now."""
    unheard: Counter[str] = Counter()
    try:
        with current_app.producer_pool.acquire(block=True) as producer:
            for step in steps:
                task = f"orders.{step}"
                queue = current_app.amqp.router.route({}, task)["queue"].name
                if queue not in unheard:
                    unheard[queue] = count_unheard(producer, queue)
                if unheard[queue] < settings.WORKERS:
                    current_app.send_task(task, producer=producer)
                    unheard[queue] += 1
    except (OperationalError, RedisError) as error:
        log.warning("broker does not answer", error=type(error).__name__)
        return False
    return True


def count_unheard(producer: Any, queue: str) -> int:
    """How many messages wait in a queue; `producer` is one of Celery's pool.

    Asked of Redis itself: Celery's own way sends a dozen commands, and a turn of the relay takes five times as long.
    """
    return int(producer.channel.client.llen(queue))
