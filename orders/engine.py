"""How a step is taken up, recorded, retried and found again after a crash. What the steps are is told in workflow.py.

A step is a row in Work. A worker takes it up under a PostgreSQL advisory lock that its own session holds, so the lock
ends with the worker's life and not a second later, and never under a living one: no lease times, no heartbeat (T2-T6).
The row goes in the transaction that records the step: a crash anywhere before repeats the step, whose outside effect
carries an idempotency key.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet

from orders import clock
from orders.errors import Permanent, StepFailed
from orders.models import Order, Work
from orders.states import MAILS, Actor, Outcome, State, Step, Undo

log = structlog.get_logger("orders")

LIFE_LOCKS, MAIL_LOCKS = 1, 2  # name spaces of the advisory locks
BATCH_TIME = 1  # second that one bell may keep a worker; then another step gets its turn
MOST_CRASHES = 5  # a step that took its worker down that often waits for staff
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=1), timedelta(seconds=60)

# Takes up a free row of the step: its order is locked for this session, its attempt counted. The lock is tried row by
# row, oldest first, until one succeeds; MATERIALIZED keeps the planner from trying locks on rows that it then drops.
# A row that was done between our look and our lock comes back as held, without its columns.
TAKE_UP = """
WITH due AS MATERIALIZED (
    SELECT id, order_id FROM orders_work
    WHERE step = %(step)s AND parked_at IS NULL AND due_at <= statement_timestamp() + %(offset)s
    ORDER BY due_at LIMIT 100
), held AS MATERIALIZED (
    SELECT id, order_id FROM due WHERE pg_try_advisory_lock(%(space)s, {key}::int) LIMIT 1
), begun AS (
    UPDATE orders_work AS work
    SET attempts = attempts + 1,
        crashes = crashes + (started_at IS NOT NULL)::int,
        started_at = statement_timestamp() + %(offset)s
    FROM held
    WHERE work.id = held.id AND parked_at IS NULL AND due_at <= statement_timestamp() + %(offset)s
    RETURNING work.id, due_at, attempts, crashes, started_at
)
SELECT held.id, held.order_id, due_at, attempts, crashes, started_at FROM held LEFT JOIN begun USING (id)
"""


class LeaseLost(Exception):
    """Another worker holds the step now; what this one did is repeated there with the same key."""


class Overtaken(Exception):
    """The order went on before the step could be recorded; its compensation knows what to undo."""


@dataclass(frozen=True)
class Rule:
    """How the engine treats a step: when it may run, and what follows when it does not work."""

    do: "Callable[[Order, Lease], None]"
    during: tuple[State, ...]
    undo: Undo | None
    fails_as: Outcome | None
    until: Callable[[Order], datetime | None] | None


RULES: dict[Step, Rule] = {}


def step(
    *names: Step,
    during: tuple[State, ...],
    undo: Undo | None = None,
    fails_as: Outcome | None = None,
    until: Callable[[Order], datetime | None] | None = None,
) -> "Callable[[Callable[[Order, Lease], None]], Callable[[Order, Lease], None]]":
    """Declare a step of the order's life.

    `during`: the states it belongs to; found in another one, its row is dropped.
    `undo`: the compensation that is registered before its outside effect begins.
    `fails_as`: the outcome when it can never work; without one it is tried for ever, in sight of staff.
    `until`: the moment after which a step that keeps failing counts as one that can never work.
    """

    def register(do: "Callable[[Order, Lease], None]") -> "Callable[[Order, Lease], None]":
        for name in names:
            RULES[name] = Rule(do=do, during=during, undo=undo, fails_as=fails_as, until=until)
        return do

    return register


@dataclass
class Lease:
    """A step in this worker's hands."""

    work: Work

    @property
    def step(self) -> Step:
        return Step(self.work.step)

    @property
    def rule(self) -> Rule:
        return RULES[self.step]

    @contextmanager
    def recording(self, *states: State, last: bool = True) -> Iterator[Order]:
        """Lock the order, check the lease and the state, let the caller change and record; all or none.

        The step's row goes in the same commit, unless more of the step is to come (`last=False`).
        Raises LeaseLost or Overtaken.
        """
        with transaction.atomic():
            order = Order.objects.lock(self.work.order_id)
            if last:
                self._finish()
            elif not self._mine().exists():
                raise LeaseLost
            if order.state not in states:
                raise Overtaken
            yield order
            order.commit()

    def _mine(self) -> QuerySet[Work]:
        return Work.objects.filter(pk=self.work.pk, attempts=self.work.attempts)

    def _finish(self) -> None:
        """Delete the row; one that was rung again meanwhile stays and is due."""
        deleted, _ = self._mine().filter(due_at=self.work.due_at).delete()
        if not deleted and not self._mine().update(started_at=None, crashes=0):
            raise LeaseLost

    def drop(self) -> None:
        """Forget a step that its order no longer needs."""
        with transaction.atomic():
            Order.objects.lock(self.work.order_id)
            self._finish()

    def put_back(self, error: str, *, now: datetime) -> None:
        """Try again later: exponential backoff with jitter, in sight of staff."""
        ceiling = min(FIRST_DELAY * 2 ** min(self.work.attempts - 1, 10), LONGEST_DELAY)
        self._mine().filter(due_at=self.work.due_at).update(due_at=now + ceiling * random.uniform(0.5, 1))  # noqa: S311
        self._mine().update(started_at=None, crashes=0, last_error=error[:500])


def enqueue(order: Order, *steps: Step) -> None:
    """Say what comes next, in the caller's transaction; the commit rings the bell (a trigger on the table).

    A step that is there already is due now; one that is running runs once more.
    """
    Work.objects.bulk_create(
        [Work(order_id=order.number, step=name, due_at=order.now) for name in steps],
        update_conflicts=True,
        update_fields=["due_at"],
        unique_fields=["order", "step"],
    )


class TurnRound(Protocol):
    """Begins the way back of a locked order: workflow.undo_order."""

    def __call__(self, order: Order, outcome: Outcome, *, actor: Actor, what: str, cause: str) -> None: ...


def run_due(name: Step, turn_round: TurnRound) -> int:
    """Do what is due of one step; one bell serves a whole batch. Returns how many were taken up."""
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < BATCH_TIME:
        with taken_up(name) as lease:
            if lease is None:
                break
            count += 1
            perform(lease, turn_round)
    return count


@contextmanager
def taken_up(name: Step) -> Iterator[Lease | None]:
    """Hold the next due row of a step, or None. The order's lock is held until the block ends."""
    space, key = (MAIL_LOCKS, "id") if name in MAILS else (LIFE_LOCKS, "order_id")
    while True:
        parameters: dict[str, Any] = {"step": name, "offset": clock.offset, "space": space}
        with connection.cursor() as cursor:
            cursor.execute(TAKE_UP.format(key=key), parameters)
            found = cursor.fetchone()
        if found is None:
            yield None
            return
        work_id, number, due_at, attempts, crashes, started_at = found
        try:
            if attempts is not None:
                work = Work(pk=work_id, order_id=number, step=name)
                work.due_at, work.attempts, work.crashes, work.started_at = due_at, attempts, crashes, started_at
                yield Lease(work)
                return
        finally:
            # Where the session itself is gone, so is the lock.
            with suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
                key_held = work_id if name in MAILS else number
                cursor.execute("SELECT pg_advisory_unlock(%s, %s::int)", [space, key_held])


def perform(lease: Lease, turn_round: TurnRound) -> None:
    """Begin the step, do it, and deal with what went wrong."""
    order = begin(lease)
    if order is None:
        return
    with structlog.contextvars.bound_contextvars(
        order=order.number, step=lease.step.value, attempt=lease.work.attempts
    ):
        try:
            lease.rule.do(order, lease)
        except Overtaken:
            log.info("step overtaken")
            lease.drop()
        except LeaseLost:
            log.warning("lease lost")
        except StepFailed as error:
            fail(lease, order, error, turn_round)
        except Exception as error:
            # A defect of ours. The order keeps its state and its row, staff see the step fail, and it is tried again.
            log.exception("step broke")
            lease.put_back(f"{type(error).__name__}", now=clock.now())
        else:
            log.info("step done")


def begin(lease: Lease) -> Order | None:
    """The order as the step finds it, its undo registered before any outside effect. None: there is nothing to do."""
    rule, work = lease.rule, lease.work
    poison = work.crashes >= MOST_CRASHES
    order = Order.objects.seen(work.order_id)
    if order.state in rule.during and not poison and (rule.undo is None or rule.undo in order.undo):
        return order  # nothing to write
    with transaction.atomic():
        order = Order.objects.lock(work.order_id)
        if order.state not in rule.during:
            work.delete()
            return None
        if poison:
            work.parked_at, work.started_at = order.now, None
            work.last_error = "Took its worker down each time; waits for staff."
            work.save(update_fields=["parked_at", "started_at", "last_error"])
            order.record(
                "step parked", actor=Actor.WORKER, cause=work.last_error, attempt=work.attempts, step=work.step
            )
            return None
        assert rule.undo
        order.register(rule.undo)
        order.commit()
    return order


def fail(lease: Lease, order: Order, error: StepFailed, turn_round: TurnRound) -> None:
    """A step that did not work: again later, or never again and the order is undone."""
    rule, now = lease.rule, clock.now()
    limit = rule.until(order) if rule.until else None
    hopeless = isinstance(error, Permanent) or (limit is not None and now >= limit)
    if rule.fails_as is None or not hopeless:
        log.warning("step failed, will retry", cause=str(error))
        lease.put_back(str(error) or type(error).__name__, now=now)
        journal_retry(lease, str(error))
        return
    log.warning("step failed for good", cause=str(error))
    try:
        with lease.recording(*rule.during) as locked:
            turn_round(locked, rule.fails_as, actor=Actor.WORKER, what=f"{lease.step} failed", cause=str(error))
    except (Overtaken, LeaseLost):
        log.info("step overtaken")


def journal_retry(lease: Lease, cause: str) -> None:
    """Each failed attempt stands in the journal: the first ten, then every tenth."""
    attempt = lease.work.attempts
    if attempt > 10 and attempt % 10:
        return
    with transaction.atomic():
        order = Order.objects.lock(lease.work.order_id)
        order.record("attempt failed", actor=Actor.WORKER, cause=cause, attempt=attempt, step=lease.step.value)
