"""Steps are taken up once, recorded with their row, and found again after a crash."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from orders import engine, workflow
from orders.engine import MOST_CRASHES, RULES, LeaseLost, Rule, begin, enqueue, run_due
from orders.errors import Permanent, Transient
from orders.models import Order, Payment, Work
from orders.models.rows import insert, update
from orders.states import LIFE, Outcome, State, Step, Undo
from tests.life import fresh, held_locks, later, one_step, open_drop, place, rung, story, taken_up

pytestmark = pytest.mark.usefixtures("strangers")


@pytest.fixture
def as_step(monkeypatch):
    """Give SCORE_RISK another body for this test; all else of its rule is the engine's."""

    def replace(do, *, undo=None, fails_as=None, until=None):
        rule = Rule(do=do, during=(State.PROCESSING,), undo=undo, fails_as=fails_as, until=until)
        monkeypatch.setitem(RULES, Step.SCORE_RISK, rule)

    return replace


def run() -> int:
    return run_due(LIFE, workflow.undo_order)


def row(order: Order) -> Work:
    return Work.objects.get(order=order, step=Step.SCORE_RISK)


def test_it_works(as_step):
    seen = []

    def do(order, lease):
        seen.append(order.number)
        with lease.recording(State.PROCESSING) as order:
            order.record("done", actor="worker")

    as_step(do)
    order = place(open_drop())
    assert run() == 1
    assert seen == [order.number]
    assert not order.work.filter(step=Step.SCORE_RISK).exists()
    assert held_locks() == 0
    assert run() == 0


def test_two_workers_never_hold_one_order():
    order = place(open_drop())
    found = []

    def look():
        with taken_up([Step.SCORE_RISK]) as lease:
            found.append(lease)
        connection.close()

    with taken_up([Step.SCORE_RISK]) as mine:
        assert mine is not None
        assert mine.work.order_id == order.number
        other = threading.Thread(target=look)
        other.start()
        other.join()
    assert found == [None]


def test_two_steps_of_one_order_never_run_beside_each_other(as_step):
    order = place(open_drop())
    workflow.cancel_order(public_id=order.public_id)  # `compensate` is due beside `score_risk`
    found = []

    def look():
        with taken_up([Step.COMPENSATE]) as lease:
            found.append(lease)
        connection.close()

    with taken_up([Step.SCORE_RISK]):
        other = threading.Thread(target=look)
        other.start()
        other.join()
    assert found == [None]


def test_the_lock_of_a_worker_that_dies_is_free_at_once():
    place(open_drop())

    def die():
        with taken_up([Step.SCORE_RISK]) as lease:
            begin(lease)
            connection.close()  # what the kernel does to a killed process's socket

    doomed = threading.Thread(target=die)
    doomed.start()
    doomed.join()
    with taken_up([Step.SCORE_RISK]) as lease:
        assert lease is not None


def test_a_transient_failure_is_tried_again_later_and_stands_in_the_journal(as_step):
    def do(order, lease):
        raise Transient("the provider is away")

    as_step(do, fails_as=Outcome.ERROR)
    order = place(open_drop())
    run()
    work = row(order)
    assert (work.attempts, work.started_at, work.last_error) == (1, None, "the provider is away")
    assert story(order) == ["claimed", "attempt failed"]
    assert run() == 0
    delays = []
    for _ in range(8):
        before = row(order).due_at
        later(timedelta(seconds=61))
        assert run() == 1
        delays.append(row(order).due_at - before)
    assert fresh(order).state == State.PROCESSING
    assert row(order).attempts == 9


def test_a_permanent_failure_turns_the_order_round(as_step):
    def do(order, lease):
        raise Permanent("no such product")

    as_step(do, fails_as=Outcome.ERROR)
    order = place(open_drop())
    one_step(Step.SCORE_RISK)
    order = fresh(order)
    assert (order.state, order.outcome) == (State.COMPENSATING, Outcome.ERROR)
    assert set(order.work.values_list("step", flat=True)) == {Step.COMPENSATE, Step.SEND_PLACED}
    assert order.events.last().cause == "no such product"


def test_a_transient_failure_past_its_limit_counts_as_permanent(as_step):
    def do(order, lease):
        raise Transient("still away")

    as_step(do, fails_as=Outcome.ERROR, until=lambda order: order.created_at + timedelta(minutes=5))
    order = place(open_drop())
    run()
    assert fresh(order).state == State.PROCESSING
    later(timedelta(minutes=6))
    run()
    assert fresh(order).outcome == Outcome.ERROR


def test_a_defect_keeps_the_order_where_it_is_and_is_seen(as_step):
    def do(order, lease):
        raise ZeroDivisionError

    as_step(do, fails_as=Outcome.ERROR)
    order = place(open_drop())
    run()
    assert fresh(order).state == State.PROCESSING
    assert row(order).last_error == "ZeroDivisionError"


def test_the_undo_is_registered_before_the_effect(as_step):
    seen = []

    def do(order, lease):
        seen.append(fresh(order).undo)
        raise Transient("time-out, perhaps after doing the work")

    as_step(do, undo=Undo.RETURN_MONEY)
    place(open_drop())
    run()
    assert seen == [[Undo.RELEASE_PAIR, Undo.RETURN_MONEY]]


def test_a_step_that_is_rung_while_it_runs_runs_once_more(as_step):
    runs = []

    def do(order, lease):
        runs.append(order.number)
        if len(runs) == 1:
            rung(order, Step.SCORE_RISK)
        with lease.recording(State.PROCESSING):
            pass

    as_step(do)
    order = place(open_drop())
    run()
    assert runs == [order.number] * 2
    assert not order.work.filter(step=Step.SCORE_RISK).exists()


def test_a_worker_whose_session_ended_records_nothing(as_step):
    """With the session went the lock: by now another worker may be at it."""
    runs = []

    def do(order, lease):
        runs.append(order.number)
        if len(runs) > 1:
            return lease.drop()
        connection.close()
        with pytest.raises(LeaseLost), lease.recording(State.PROCESSING) as order:
            order.record("must not be", actor="worker")
        return None

    as_step(do)
    order = place(open_drop())
    run()
    assert story(order) == ["claimed"]
    assert len(runs) == 2


def test_what_follows_for_the_same_order_needs_no_bell(as_step):
    def do(order, lease):
        with lease.recording(State.PROCESSING) as order:
            enqueue(order, Step.OPEN_PAYMENT)

    as_step(do)
    order = place(open_drop())
    assert run() == 2
    assert fresh(order).state == State.AWAITING_PAYMENT


def test_a_following_step_is_overtaken_by_a_customer_who_gave_up_in_between(as_step):
    def do(order, lease):
        with lease.recording(State.PROCESSING) as order:
            enqueue(order, Step.OPEN_PAYMENT)
        workflow.cancel_order(public_id=order.public_id)

    as_step(do)
    order = place(open_drop())
    run()
    assert fresh(order).state == State.COMPENSATED
    assert "payment page opened" not in story(order)


def test_what_takes_longer_than_a_bell_may_rings_again(as_step, monkeypatch):
    rung = []
    monkeypatch.setattr(engine, "ring", rung.extend)
    monkeypatch.setattr(engine, "BATCH_TIME", 0.0001)
    as_step(lambda order, lease: lease.drop())
    drop = open_drop()
    place(drop)
    place(drop)
    assert run() == 1
    assert rung == [Step.SCORE_RISK]


def test_a_step_that_the_order_overtook_is_dropped(as_step):
    def do(order, lease):
        workflow.cancel_order(public_id=order.public_id)
        with lease.recording(State.PROCESSING) as order:
            order.record("must not be", actor="worker")

    as_step(do)
    order = place(open_drop())
    one_step(Step.SCORE_RISK)
    assert story(order) == ["claimed", "cancelled"]
    assert not order.work.filter(step=Step.SCORE_RISK).exists()


def test_a_step_that_takes_its_worker_down_each_time_is_parked_and_staff_can_retry_it(as_step):
    order = place(open_drop())
    later(timedelta(seconds=6))  # so late that it is suspected
    for _ in range(MOST_CRASHES + 1):
        with taken_up([Step.SCORE_RISK]) as lease:
            assert lease is not None
            begin(lease)  # and the process is gone
    work = row(order)
    assert work.parked_at is not None
    assert run() == 0
    assert "step parked" in story(order)

    workflow.retry_work(work_id=work.pk, who="ops")
    as_step(lambda order, lease: lease.drop())
    assert run() == 1
    assert story(order)[-1] == "retry asked for"


def test_one_bell_does_all_that_is_due(as_step, monkeypatch):
    monkeypatch.setattr(engine, "BATCH_TIME", 60)  # whatever else the machine has to do
    as_step(lambda order, lease: lease.drop())
    drop = open_drop({"9": 30})
    for _ in range(30):
        place(drop)
    assert run() == 30


def test_backoff_grows_to_a_minute_and_no_further():
    assert timedelta(seconds=60) == engine.LONGEST_DELAY


def test_what_is_read_by_written_sql_is_what_django_reads():
    order = place(open_drop())
    one_step(Step.SCORE_RISK)
    one_step(Step.OPEN_PAYMENT)
    Payment.objects.update(spent_keys={"capture": 1})
    rung(order, Step.CHECK_PAYMENT)
    with taken_up([Step.CHECK_PAYMENT]) as lease:
        assert lease
        found = (lease.work, lease.order, lease.order.drop, lease.order.payment)
    lease.work.attempts -= 1  # this one
    for mine in found:
        assert values(mine) == values(type(mine).objects.get(pk=mine.pk))


def values(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_what_is_written_by_written_sql_is_what_django_reads():
    order = place(open_drop())
    at = order.created_at
    payment = Payment(order=order, amount=1, currency="usd", expires_at=at, updated_at=at, spent_keys={"capture": 1})
    assert insert(payment)
    assert values(payment) == values(Payment.objects.get())
    payment.amount, payment.url, payment.spent_keys = 2, "https://pay.example/", {"void": 1}
    update(payment, "url", "spent_keys")
    assert values(payment) == values(Payment.objects.get()) | {"amount": 2}
    payment.pk = None
    assert not insert(payment, "ON CONFLICT DO NOTHING")
    with pytest.raises(IntegrityError):
        insert(payment)


def test_a_step_that_is_enqueued_twice_in_one_breath_is_there_once_at_its_last_time():
    order = place(open_drop())
    with transaction.atomic():
        locked = Order.objects.lock(order.number)
        enqueue(locked, Step.EXPIRE_REVIEW, at=locked.now + timedelta(hours=1))
        enqueue(locked, Step.EXPIRE_REVIEW, at=locked.now + timedelta(hours=2))
        locked.commit()
        locked.commit()  # says nothing twice
    assert order.work.get(step=Step.EXPIRE_REVIEW).due_at == locked.now + timedelta(hours=2)
    assert [work.step for work in locked.enqueued] == [Step.EXPIRE_REVIEW]


def test_an_order_is_never_locked_outside_of_a_transaction():
    """PostgreSQL would let go of it at once and say nothing."""
    order = place(open_drop())
    with pytest.raises(AssertionError):
        Order.objects.lock(order.number)
