"""Celery's doors to the order's life. A task is named after its step, takes no argument and finds its work itself."""

from collections.abc import Callable

from celery import shared_task

from orders import clock
from orders.bell import ring
from orders.engine import run_due
from orders.risk import limit, signals
from orders.states import Step
from orders.sweep import sweep as look_for_due_work
from orders.workflow import undo_order


def task_for(step: Step) -> Callable[[], int]:
    """The task that answers the bell of one step."""

    @shared_task(name=f"orders.{step}")
    def answer() -> int:
        return run_due(step, undo_order)

    return answer  # type: ignore[no-any-return]


TASKS = {step: task_for(step) for step in Step}


@shared_task(name="orders.sweep")
def sweep() -> None:
    """Beat's every second: pick up deadlines that passed and ring for what is due."""
    ring(look_for_due_work())


@shared_task(name="orders.purge")
def purge() -> None:
    """Beat's every hour: forget counts and signals that have served."""
    now = clock.now()
    limit.purge(now)
    signals.purge(now)
