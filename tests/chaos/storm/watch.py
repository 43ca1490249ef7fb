"""How soon orders move on after a fault, and how many there were: looked up in the rows, twenty times a second."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from orders.states import FINAL
from tests.shop import Shop

EVERY = 0.05  # seconds between two looks
JUST_AFTER = 1.0  # seconds; a step that becomes due so soon after a fault meets it, too
GIVEN_UP = 90.0  # seconds after which a step counts as stranded
DUE = "SELECT order_id, step, due_at <= statement_timestamp() FROM orders_work WHERE parked_at IS NULL"
IN_FLIGHT = "SELECT count(*) FROM orders_order WHERE state <> ALL(%s)"


@dataclass
class Step:
    """A step that is due, from our first sight of it until its row is gone; monotonic seconds."""

    due: float
    done: float | None = None


class Watch:
    """Looks, in a thread of its own, until it is told to stop. While the database is away nothing is done."""

    def __init__(self, shop: Shop, look_too: Callable[[], None]) -> None:
        self.shop = shop
        self.look_too = look_too
        self.waiting: dict[tuple[int, str], Step] = {}
        self.steps: list[Step] = []
        self.rows = 0  # of work, due or not
        self.in_flight = 0  # orders that are not final
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()

    def recoveries(self, struck: float) -> list[float]:
        """Seconds that each step took which met a fault that struck then; waits until all are done."""
        time.sleep(max(0.0, struck + JUST_AFTER + 4 * EVERY - time.monotonic()))
        met = [
            step for step in self.steps if step.due <= struck + JUST_AFTER and (step.done is None or step.done > struck)
        ]
        while any(step.done is None for step in met) and time.monotonic() < struck + GIVEN_UP:
            time.sleep(EVERY)
        return [(step.done or time.monotonic()) - max(step.due, struck) for step in met]

    def _run(self) -> None:
        address = f"postgresql://postgres@/quantasneaks?host={self.shop.folder / 'run'}&connect_timeout=5"
        while not self.stopped.is_set():
            try:
                with psycopg.connect(address, autocommit=True) as connection:
                    while not self.stopped.wait(EVERY):
                        self._look(connection)
                        self.look_too()
            except psycopg.Error:
                time.sleep(EVERY)

    def _look(self, connection: psycopg.Connection) -> None:
        rows = {(order, step): due for order, step, due in connection.execute(DUE)}
        (self.in_flight,) = connection.execute(IN_FLIGHT, [list(FINAL)]).fetchone() or (0,)
        now = time.monotonic()
        self.rows = len(rows)
        for key in self.waiting.keys() - rows.keys():
            self.waiting.pop(key).done = now
        for key, due in rows.items():
            if due and key not in self.waiting:
                self.waiting[key] = Step(now)
                self.steps.append(self.waiting[key])
