"""Celery's doors to the order's life. A task is named after what rang, takes no argument and finds its work itself."""

from collections.abc import Callable
from contextlib import suppress

from celery import shared_task

from orders import clock
from orders.audit import reconcile as compare_with_the_ledger
from orders.bell import ring
from orders.engine import run_due
from orders.errors import StepFailed
from orders.payments import webhooks
from orders.risk import limit, signals
from orders.states import QUEUES, Step
from orders.sweep import sweep as look_for_due_work
from orders.workflow import undo_order


def task_for(step: Step) -> Callable[[], int]:
    """The task that answers the bell of one step, and of all that its queue has due."""
    steps = next(queue for queue in QUEUES if step in queue)

    @shared_task(name=f"orders.{step}")
    def answer() -> int:
        return run_due(steps, undo_order)

    return answer  # type: ignore[no-any-return]


TASKS = {step: task_for(step) for step in Step}


@shared_task(name="orders.sweep")
def sweep() -> None:
    """Beat's every second: pick up deadlines that passed and ring for what is due."""
    ring(look_for_due_work())


@shared_task(name="orders.read_events")
def read_events() -> None:
    """Beat's every half minute: a lost webhook must not cost anybody a pair."""
    with suppress(StepFailed):  # the next turn asks again
        webhooks.read_what_never_came()


# Acknowledged at once: it may last longer than the broker waits before it delivers a task anew (T1).
@shared_task(name="orders.reconcile", time_limit=3600, acks_late=False)
def reconcile() -> None:
    """Beat's every day: does the provider's whole ledger agree with the orders?"""
    compare_with_the_ledger()


@shared_task(name="orders.purge")
def purge() -> None:
    """Beat's every hour: forget counts and signals that have served."""
    now = clock.now()
    limit.purge(now)
    signals.purge(now)
