"""How a step is taken up, recorded, retried and found again after a crash. What the steps are is told in workflow.py.

A step is a row in Work. A worker takes it up under a PostgreSQL advisory lock that its own session holds, so the lock
ends with the worker's life and not a second later, and never under a living one: no lease times, no heartbeat (T2-T6).
The row goes in the transaction that records the step: a crash anywhere before repeats the step, whose outside effect
carries an idempotency key. Taking a step up writes nothing; only a row that is found late is marked, for it may be one
that takes its workers down.
"""

import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from orders import clock
from orders.bell import ring
from orders.errors import Permanent, StepFailed
from orders.models import Drop, Order, Payment, Work
from orders.models.rows import read
from orders.states import LIFE, Actor, Outcome, State, Step, Undo

log = structlog.get_logger("orders")

LIFE_LOCKS, ROW_LOCKS = 1, 2  # name spaces of the advisory locks: by order, by row
BATCH_TIME = 1  # second that one bell may keep a worker; then another step gets its turn
MOST_CRASHES = 5  # a step that took its worker down that often waits for staff
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=1), timedelta(seconds=60)

READ_ALONG = ("drop", "payment")
LATE = timedelta(seconds=5)  # after which a row that waited is suspected of having taken its worker down

# Locks a free row for this session: first of the order that the last step was of, then the oldest of all. The lock is
# tried row by row until one succeeds; MATERIALIZED keeps the planner from trying locks on rows that it then drops.
TAKE_UP = """
WITH due AS MATERIALIZED (
    (SELECT id, order_id FROM orders_work
     WHERE order_id = %(after)s AND step IN {steps} AND parked_at IS NULL
       AND due_at <= statement_timestamp() + %(offset)s)
    UNION ALL
    (SELECT id, order_id FROM orders_work
     WHERE step IN {steps} AND parked_at IS NULL AND due_at <= statement_timestamp() + %(offset)s
     ORDER BY due_at LIMIT 100)
)
SELECT id, order_id, {key} FROM due WHERE pg_try_advisory_lock(%(space)s, {key}::int) LIMIT 1
"""
FIND = """
SELECT {columns}, statement_timestamp() + %(offset)s
FROM orders_work JOIN orders_order ON orders_order.number = orders_work.order_id
     JOIN orders_drop ON orders_drop.id = orders_order.drop_id
     LEFT JOIN orders_payment ON orders_payment.order_id = orders_order.number
WHERE orders_work.id = %(work)s AND orders_work.parked_at IS NULL
      AND orders_work.due_at <= statement_timestamp() + %(offset)s
"""
LET_GO = "SELECT pg_advisory_unlock(%(space)s, %(held)s::int)"


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
    once: bool = False


RULES: dict[Step, Rule] = {}


def step(
    *names: Step,
    during: tuple[State, ...],
    undo: Undo | None = None,
    fails_as: Outcome | None = None,
    until: Callable[[Order], datetime | None] | None = None,
    once: bool = False,
) -> "Callable[[Callable[[Order, Lease], None]], Callable[[Order, Lease], None]]":
    """Declare a step of the order's life.

    `during`: the states it belongs to; found in another one, its row is dropped.
    `undo`: the compensation that is registered when the step is enqueued, before its outside effect can begin.
    `fails_as`: the outcome when it can never work; without one it is tried for ever, in sight of staff.
    `until`: the moment after which a step that keeps failing counts as one that can never work.
    `once`: recorded, it is done for good, even if somebody rang for it while it ran.
    """

    def register(do: "Callable[[Order, Lease], None]") -> "Callable[[Order, Lease], None]":
        for name in names:
            RULES[name] = Rule(do=do, during=during, undo=undo, fails_as=fails_as, until=until, once=once)
        return do

    return register


@dataclass(frozen=True)
class Held:
    """A row whose lock this session has."""

    work: int
    order: int
    key: int  # of the lock, in its name space
    space: int


@dataclass
class Lease:
    """A step in this worker's hands, for as long as `session` lives: it holds the lock."""

    work: Work
    order: Order  # as it was found
    session: Any
    recorded: Order | None = None  # as the step left it

    @property
    def step(self) -> Step:
        return Step(self.work.step)

    @property
    def rule(self) -> Rule:
        return RULES[self.step]

    @contextmanager
    def locked(self) -> Iterator[Order]:
        """The order locked for a transaction in the session that holds the step. Raises LeaseLost."""
        with transaction.atomic():
            order = Order.objects.lock(self.work.order_id)
            if connection.connection is not self.session:
                raise LeaseLost
            if self.step in LIFE:  # who holds an order's life alone changes its payment, and its drop stays
                known = self.order._state.fields_cache
                order._state.fields_cache |= {name: known[name] for name in READ_ALONG if name in known}
            yield order

    @contextmanager
    def recording(self, *states: State, last: bool = True) -> Iterator[Order]:
        """Lock the order, check the lease and the state, let the caller change and record; all or none.

        The step's row goes in the same commit, unless more of the step is to come (`last=False`).
        Raises LeaseLost or Overtaken.
        """
        with self.locked() as order:
            if order.state not in states:
                raise Overtaken
            yield order
            if last:
                self._finish(order)
            else:
                order.commit()
        self.recorded = order

    def record(self, statement: str, **words: Any) -> None:
        """For a step that changes nothing about its order: all that it has to say in one statement, which locks the
        order, as every transaction does, and ends by deleting the step's row where `due_at` is as it was, or `once`.

        Raises LeaseLost.
        """
        words |= {"work": self.work.pk, "due_at": self.work.due_at, "once": self.rule.once, "offset": clock.offset}
        words |= {"order": self.order.number, "step": self.work.step, "attempt": self.work.attempts}
        with connection.cursor() as cursor:
            if connection.connection is not self.session:
                raise LeaseLost
            cursor.execute(statement, words)
            gone = bool(cursor.rowcount)
        if not gone:
            self.drop()  # somebody rang for it while it ran: its row stays

    def following(self, steps: Collection[Step]) -> "Lease | None":
        """What this step brought forth, if it is due and one of `steps`: the order's lock is in our hands already, and
        nothing of it has to be asked for again."""
        if order := self.recorded:
            for work in order.enqueued:
                if work.step in steps and work.due_at <= order.now:
                    work.attempts += 1
                    return Lease(work, order, self.session)
        return None

    def _finish(self, order: Order) -> None:
        """Commit, and delete the row; one that was rung again meanwhile stays and is due."""
        if not order.commit(finished=self.work, once=self.rule.once):
            Work.objects.filter(pk=self.work.pk).update(started_at=None, crashes=0, attempts=0)

    def drop(self) -> None:
        """Forget a step that its order no longer needs; one that was rung again meanwhile begins anew."""
        with self.locked() as order:
            self._finish(order)

    def put_back(self, cause: str) -> None:
        """Try again later: exponential backoff with jitter, in sight of staff.

        The first ten failed attempts stand in the journal, then every tenth.
        """
        work = self.work
        ceiling = min(FIRST_DELAY * 2 ** min(work.attempts - 1, 10), LONGEST_DELAY)
        with self.locked() as order:
            mine = Work.objects.filter(pk=work.pk)
            mine.filter(due_at=work.due_at).update(due_at=order.now + ceiling * random.uniform(0.5, 1))  # noqa: S311
            mine.update(started_at=None, crashes=0, attempts=work.attempts, last_error=cause[:500])
            if work.attempts <= 10 or work.attempts % 10 == 0:
                order.record("attempt failed", actor=Actor.WORKER, cause=cause, attempt=work.attempts, step=work.step)
            order.commit()


def enqueue(order: Order, *steps: Step, at: datetime | None = None) -> None:
    """Say what comes next for a locked order, written by its commit, which rings the bell (a trigger).

    How to undo a step is registered along with it, before its outside effect can begin: a time-out may hide a success.
    A step that is there already is due now, or `at` a later time; one that is running runs once more.
    """
    for name in steps:
        if undo := RULES[name].undo:
            order.register(undo)
        order.upcoming[name] = at or order.now


class TurnRound(Protocol):
    """Begins the way back of a locked order: workflow.undo_order."""

    def __call__(self, order: Order, outcome: Outcome, *, actor: Actor, what: str, cause: str) -> None: ...


def run_due(steps: Sequence[Step], turn_round: TurnRound) -> int:
    """Do what is due of these steps, which are of one queue; one bell serves all that is there.

    Returns how many were taken up. What is left when the time is over rings again.
    """
    begun, count = time.monotonic(), 0
    held: Held | None = None
    try:
        while time.monotonic() - begun < BATCH_TIME:
            held = take_up(steps, instead_of=held)
            if held is None:
                return count
            lease = find(held)
            while lease:
                count += 1
                perform(lease, turn_round)
                lease = lease.following(steps)
    finally:
        let_go(held)
    ring(steps[:1])
    return count


def take_up(steps: Sequence[Step], *, instead_of: Held | None = None) -> Held | None:
    """Lock the next due row of these steps; what was held before is let go first, and its order comes first.

    An order's bell may have been in vain while we held its lock, so its own rows are looked for once we have let go.
    """
    life = steps[0] in LIFE
    # In the statement itself, for the planner to see that a partial index has them all.
    query = TAKE_UP.format(
        key="order_id" if life else "id", steps="({})".format(", ".join(f"'{step}'" for step in steps))
    )
    space = LIFE_LOCKS if life else ROW_LOCKS
    words: dict[str, Any] = {"offset": clock.offset, "space": space, "after": instead_of.order if instead_of else None}
    let_go(instead_of)
    with connection.cursor() as cursor:
        cursor.execute(query, words)
        found = cursor.fetchone()
    if found is None:
        return None
    work, order, key = found
    return Held(work, order, key, space)


def let_go(held: Held | None) -> None:
    """Where the session itself is gone, so is the lock."""
    if held:
        with suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
            cursor.execute(LET_GO, {"space": held.space, "held": held.key})


def find(held: Held) -> Lease | None:
    """The row that was locked, with its order, as it is now; None if another worker has done it between our look and
    our lock. One that is late is marked.
    """
    found = read(FIND, {"work": held.work, "offset": clock.offset}, Work, Order, Drop, Payment)
    if found is None:
        return None
    work, order, drop, payment, now = found
    order.now = now
    order._state.fields_cache |= {"drop": drop, "payment": payment}
    work.attempts += 1
    if work.started_at:
        work.crashes += 1
    if work.started_at or order.now > work.due_at + LATE:
        work.started_at = order.now
        work.save(update_fields=["crashes", "started_at"])
    return Lease(work, order, connection.connection)


def perform(lease: Lease, turn_round: TurnRound) -> None:
    """Do the step, and deal with what went wrong."""
    with structlog.contextvars.bound_contextvars(
        order=lease.order.number, step=lease.step.value, attempt=lease.work.attempts
    ):
        try:
            if begin(lease):
                attempt(lease, turn_round)
        except LeaseLost:
            log.warning("lease lost")


def attempt(lease: Lease, turn_round: TurnRound) -> None:
    try:
        lease.rule.do(lease.order, lease)
    except Overtaken:
        log.info("step overtaken")
        lease.drop()
    except LeaseLost:
        raise
    except StepFailed as error:
        fail(lease, error, turn_round)
    except Exception as error:
        # A defect of ours. The order keeps its state and its row, staff see the step fail, and it is tried again.
        log.exception("step broke")
        lease.put_back(type(error).__name__)
    else:
        log.info("step done")


def begin(lease: Lease) -> bool:
    """Whether there is something to do. A row without its state is dropped, one that kills its workers is parked."""
    work, rule = lease.work, lease.rule
    poison = work.crashes >= MOST_CRASHES
    registered = rule.undo is None or rule.undo in lease.order.undo
    if lease.order.state in rule.during and registered and not poison:
        return True
    with lease.locked() as order:
        if order.state not in rule.during:
            work.delete()
            return False
        if poison:
            work.parked_at, work.started_at = order.now, None
            work.last_error = "Took its worker down each time; waits for staff."
            work.save(update_fields=["parked_at", "started_at", "last_error"])
            order.record(
                "step parked", actor=Actor.WORKER, cause=work.last_error, attempt=work.attempts, step=work.step
            )
            order.commit()
            return False
        assert rule.undo
        order.register(rule.undo)  # an older release enqueued it
        order.commit()
    return True


def in_hand() -> set[tuple[int, int]]:
    """What workers hold just now: (LIFE_LOCKS, order) or (ROW_LOCKS, row)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT classid::int, objid::int FROM pg_locks JOIN pg_database ON database = pg_database.oid"
            " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
        )
        return set(cursor.fetchall())


def fail(lease: Lease, error: StepFailed, turn_round: TurnRound) -> None:
    """A step that did not work: again later, or never again and the order is undone."""
    rule, cause = lease.rule, str(error) or type(error).__name__
    limit = rule.until(lease.order) if rule.until else None
    hopeless = isinstance(error, Permanent) or (limit is not None and clock.now() >= limit)
    if rule.fails_as is None or not hopeless:
        log.warning("step failed, will retry", cause=cause)
        lease.put_back(cause)
        return
    log.warning("step failed for good", cause=cause)
    with suppress(Overtaken), lease.recording(*rule.during) as order:
        turn_round(order, rule.fails_as, actor=Actor.WORKER, what=f"{lease.step} failed", cause=cause)
