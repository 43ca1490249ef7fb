"""How many statements each step of an order costs, BEGIN and COMMIT included: a query in a loop would show here."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import clock, workflow
from orders.engine import run_due
from orders.payments.provider import ProviderEvent
from orders.payments.webhooks import note
from orders.states import LIFE, MAILS, State, Step
from orders.sweep import sweep
from tests.life import approve, fresh, one_step, open_drop, pay, place

pytestmark = pytest.mark.usefixtures("strangers")

STEPS = {
    "claim": 3,  # one look, the order with all that belongs to it, the bell
    Step.SCORE_RISK: 14,  # four of them bound the time of the others
    Step.OPEN_PAYMENT: 10,
    "webhook": 6,
    Step.CHECK_PAYMENT: 11,
    "approval": 6,
    Step.CAPTURE_PAYMENT: 8,
    Step.SHIP: 9,
    "three mails": 15,
}
FOLLOWING = 3  # fewer where a step follows in the same hands: nothing is let go, looked for or read in between
IDLE_SWEEP = 3


def statements(do) -> int:
    with CaptureQueriesContext(connection) as captured:
        do()
    return len(captured)


def test_each_step_costs_what_it_costs():
    drop = open_drop({"9": 20})
    for _ in range(10):
        place(drop)
    while run_due(LIFE, workflow.undo_order):
        pass
    run_due(MAILS, workflow.undo_order)
    found: dict[str, int] = {}
    made = []
    found["claim"] = statements(lambda: made.append(place(drop)))
    (order,) = made
    for step in (Step.SCORE_RISK, Step.OPEN_PAYMENT):
        found[step] = statements(lambda step=step: one_step(step))
    pay(fresh(order))
    body = json.dumps({"id": "evt_1"})
    event = ProviderEvent("evt_1", "checkout.session.completed", "cs_1", order.number, clock.now())
    found["webhook"] = statements(lambda: note(event, body))
    found[Step.CHECK_PAYMENT] = statements(lambda: one_step(Step.CHECK_PAYMENT))
    found["approval"] = statements(lambda: approve(order))
    for step in (Step.CAPTURE_PAYMENT, Step.SHIP):
        found[step] = statements(lambda step=step: one_step(step))
    found["three mails"] = statements(lambda: run_due(MAILS, workflow.undo_order))
    assert fresh(order).state == State.SHIPPED
    assert found == STEPS


def test_a_step_that_follows_is_done_without_another_look():
    order = place(open_drop({"9": 1}))
    apart = STEPS[Step.SCORE_RISK] + STEPS[Step.OPEN_PAYMENT]
    together = statements(lambda: run_due([Step.SCORE_RISK, Step.OPEN_PAYMENT], workflow.undo_order))
    assert fresh(order).state == State.AWAITING_PAYMENT
    assert together == apart - FOLLOWING + 1  # the look that finds nothing more


def test_a_sweep_that_finds_nothing_is_cheap():
    sweep()
    assert statements(sweep) == IDLE_SWEEP
