"""`kill -9` at every line of a decision, and at every line with which it takes effect: all of it stands, or none.

A fork of this process acts, and kills itself when it comes to the line. It gets there by a trace function, so that no
line is left out when the code changes; lines between which nothing goes to the database are one point.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from fulfillment.models import Decision
from orders import clock
from orders.engine import run_due
from orders.models import Order, StoredDecision
from orders.states import State, Step
from orders.workflow import retry_work, undo_order
from tests.life import fresh, later, open_drop, story
from tests.reviews import a_reviewer, browser, in_review

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]
ROOT = Path(__file__).parents[2]
CODE = (f"{ROOT}/fulfillment/", f"{ROOT}/orders/")
UNDO = 10


@pytest.fixture(autouse=True)
def time_put_right():
    yield
    clock.offset = timedelta(0)


def killed_at(number: int, act: Callable[[], Any]) -> bool:
    """Whether a process was killed at its `number`th point, or got to its end before."""
    connection.close()  # the child has its own
    child = os.fork()
    if not child:
        left, sent, seen = number, 0, -1

        def statement(execute: Callable[..., Any], *words: Any) -> Any:
            nonlocal sent
            sent += 1
            return execute(*words)

        def commit() -> None:
            nonlocal sent
            sent += 1
            BaseDatabaseWrapper.commit(connection)  # type: ignore[arg-type]

        def kill_at_line(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left, seen
            if not frame.f_code.co_filename.startswith(CODE):
                return None
            if event == "line" and sent != seen:
                left, seen = left - 1, sent
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
            return kill_at_line

        connection.commit = commit  # type: ignore[method-assign]
        sys.settrace(kill_at_line)
        try:
            with connection.execute_wrapper(statement):
                act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def all_or_none(facts: list[bool]) -> bool:
    assert len(set(facts)) == 1, facts
    return facts[0]


def decided(order: Order, undo: int) -> bool:
    """Whether there is a decision, with everything that belongs to it."""
    waits, approved = fresh(order).state == State.AWAITING_APPROVAL, fresh(order).state == State.APPROVED
    facts = [Decision.objects.filter(order=order, seconds__isnull=True).exists()]
    if undo:
        assert waits
        facts += [StoredDecision.objects.filter(order=order, approve=True).exists(), "approval stored" in story(order)]
        facts += [order.work.filter(step=Step.EXPIRE_REVIEW).exists()]
    else:
        facts += [approved, "approved" in story(order), not order.callbacks.open().exists()]
        facts += [order.work.filter(step=Step.CAPTURE_PAYMENT).exists()]
    return all_or_none(facts)


@pytest.mark.parametrize("undo", [UNDO, 0])
def test_a_decision_is_made_wholly_or_not_at_all_wherever_its_process_is_killed(undo: int) -> None:
    drop, client = open_drop({"9": 99}), browser(a_reviewer())
    order, point, lost, kept = in_review(drop), 1, 0, 0
    assert client.get("/admin/review/").status_code == 200  # all modules are loaded before the first fork

    def decide() -> None:
        words = {"decision": "approve", "reason": "looks_genuine", "note": "", "undo": undo or ""}
        client.post(f"/admin/review/{order.public_id}/", words)

    while killed_at(point, decide):
        point += 1
        if not decided(order, undo):
            lost += 1  # its reviewer decides anew
            continue
        kept += 1
        if undo:
            later(timedelta(seconds=UNDO + 1))
            run_due([Step.EXPIRE_REVIEW], undo_order)
            assert fresh(order).state == State.APPROVED
        order = in_review(drop)
    assert lost > 9
    assert kept
    assert decided(order, undo), "nobody was killed in the end"


def withdrawn(order: Order) -> bool:
    """Whether the decision is taken back, with everything that belongs to it."""
    return all_or_none(
        [
            Decision.objects.get(order=order).withdrawn_at is not None,
            not StoredDecision.objects.filter(order=order).exists(),
            story(order).count("decision withdrawn") == 1,
        ]
    )


def test_a_decision_is_withdrawn_wholly_or_not_at_all_wherever_its_process_is_killed() -> None:
    drop, client = open_drop({"9": 99}), browser(a_reviewer())

    def a_stored_one() -> Order:
        order = in_review(drop)
        words = {"decision": "approve", "reason": "looks_genuine", "undo": UNDO}
        assert client.post(f"/admin/review/{order.public_id}/", words).status_code == 303
        return order

    def withdraw() -> None:
        client.post(f"/admin/review/{order.public_id}/", {"decision": "undo"})

    order, point, stayed, gone = a_stored_one(), 1, 0, 0
    while killed_at(point, withdraw):
        point += 1
        back = withdrawn(order)
        later(timedelta(seconds=UNDO + 1))
        run_due([Step.EXPIRE_REVIEW], undo_order)
        assert (fresh(order).state == State.APPROVED) != back
        stayed, gone = stayed + (not back), gone + back
        order = a_stored_one()
    assert stayed > 9
    assert gone
    assert withdrawn(order)


def test_a_decision_takes_effect_once_wherever_the_worker_is_killed() -> None:
    drop, client = open_drop({"9": 99}), browser(a_reviewer())

    def an_approval() -> Order:
        order = in_review(drop)
        words = {"decision": "approve", "reason": "looks_genuine", "undo": UNDO}
        assert client.post(f"/admin/review/{order.public_id}/", words).status_code == 303
        later(timedelta(seconds=UNDO + 1))
        return order

    def in_effect(order: Order) -> bool:
        return all_or_none(
            [
                fresh(order).state == State.APPROVED,
                story(order).count("approved") == 1,
                not order.callbacks.open().exists(),
                order.work.filter(step=Step.CAPTURE_PAYMENT).exists(),
                not order.work.filter(step=Step.EXPIRE_REVIEW).exists(),
            ]
        )

    order, point, before, after = an_approval(), 1, 0, 0
    while killed_at(point, lambda: run_due([Step.EXPIRE_REVIEW], undo_order)):
        point += 1
        if in_effect(order):
            after += 1
            order = an_approval()
        else:
            before += 1
            # Else a row that takes five workers down waits for staff, as it should.
            retry_work(work_id=order.work.get(step=Step.EXPIRE_REVIEW).pk, who="ops")
    assert before > 6
    assert after
    assert in_effect(order)
