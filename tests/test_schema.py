"""What SQL can forbid, it forbids; and no code goes round the order's state machine."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django_fsm import TransitionNotAllowed

from orders.claims import KEY_LIFE, LOOK, PLACE
from orders.models import Callback, ClaimSignals, Event, Order, Pair
from orders.states import State
from tests.life import SIZE, open_drop, place

pytestmark = pytest.mark.usefixtures("strangers")
ROOT = Path(__file__).parent.parent

FORBIDDEN = {
    "one_order_per_pair": "UPDATE orders_order SET pair_id = (SELECT min(pair_id) FROM orders_order)",
    "one_live_order_per_customer_and_drop": "UPDATE orders_order SET customer_key = 'same'",
    "order_state_is_known|order_holds_a_pair": "UPDATE orders_order SET state = 'lost'",
    "order_outcome_is_known": "UPDATE orders_order SET state = 'compensating', outcome = 'whim'",
    "order_outcome_only_when_undone": "UPDATE orders_order SET outcome = 'error'",
    "order_holds_a_pair_until_released": "UPDATE orders_order SET pair_id = NULL",
    "order_compensated_means_nothing_left_to_undo": (
        "UPDATE orders_order SET state = 'compensated', outcome = 'error', pair_id = NULL"
    ),
    "order_score_in_range": "UPDATE orders_order SET score = 100",
    "pair_number_once_per_drop": "UPDATE orders_pair SET number = 1",
    "pair_state_is_known": "UPDATE orders_pair SET state = 'stolen'",
    "drop_closes_after_it_opens": "UPDATE orders_drop SET closes_at = opens_at",
    "drop_price_is_positive": "UPDATE orders_drop SET price = 0",
    "work_step_is_known": "UPDATE orders_work SET step = 'dance'",
    "one_work_per_order_and_step": "UPDATE orders_work SET step = 'ship'",
}


@pytest.mark.parametrize(("constraint", "statement"), FORBIDDEN.items())
def test_the_schema_forbids(constraint, statement):
    drop = open_drop()
    place(drop)
    place(drop)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_order_waits_for_one_thing_at_a_time():
    order = place(open_drop())
    fields = {"order": order, "opened_at": order.created_at, "deadline_at": order.created_at}
    Callback.objects.create(kind="payment", **fields)
    with pytest.raises(IntegrityError, match="one_open_callback_per_order"):
        Callback.objects.create(kind="approval", **fields)


def test_a_callback_is_resolved_with_a_resolution():
    order = place(open_drop())
    with pytest.raises(IntegrityError, match="callback_resolved_with_a_resolution"):
        Callback.objects.create(
            order=order,
            kind="payment",
            opened_at=order.created_at,
            deadline_at=order.created_at,
            resolved_at=order.created_at,
        )


@pytest.mark.parametrize("statement", ["UPDATE orders_event SET what = 'nothing'", "DELETE FROM orders_event"])
def test_the_journal_is_append_only(statement):
    place(open_drop())
    with pytest.raises(ProgrammingError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Event.objects.count() == 1


ALLOWED = {
    "await_payment": [State.PROCESSING],
    "await_approval": [State.AWAITING_PAYMENT],
    "approve": [State.AWAITING_APPROVAL],
    "ship": [State.APPROVED],
    "begin_compensation": [State.PROCESSING, State.AWAITING_PAYMENT, State.AWAITING_APPROVAL, State.APPROVED],
    "finish_compensation": [State.COMPENSATING],
}
REFUSED = [(name, state) for name, sources in ALLOWED.items() for state in State if state not in sources]


@pytest.mark.parametrize(("name", "state"), REFUSED)
def test_every_other_transition_is_refused(name, state):
    order = Order()
    order.__dict__["state"] = state
    arguments = {"await_payment": {"deadline": None}, "await_approval": {"deadline": None}}.get(name, {})
    positional = ["error"] if name == "begin_compensation" else []
    with pytest.raises(TransitionNotAllowed):
        getattr(order, name)(*positional, **arguments)


def test_the_state_cannot_be_set_by_hand():
    with pytest.raises(AttributeError):
        Order().state = State.SHIPPED


def test_t20_no_code_updates_an_orders_state_past_its_machine():
    found = subprocess.run(
        ["grep", "-rnE", r"Order\.objects.*\.update\(.*state=", "orders", "fulfillment"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout == ""


def test_t21_the_maintained_fsm_is_the_one_installed():
    pins = (ROOT / "requirements.txt").read_text()
    assert "\ndjango-fsm==" not in pins
    assert "\ndjango-fsm-2==" in pins


def test_t1_nothing_waits_in_the_broker():
    found = subprocess.run(
        ["grep", "-rnE", r"(countdown|eta)=", "--include=*.py", "orders", "fulfillment", "quantasneaks"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout == ""


def test_a_claim_finds_its_size_by_the_index_though_the_planner_believes_all_pairs_to_be_free():
    drop = open_drop({"9": 5000})
    words = {"customer": "", "key": None, "drop": drop.pk, "offset": timedelta(0), "life": KEY_LIFE}
    order = Order(drop=drop, created_at=drop.opens_at)
    words |= vars(order) | vars(ClaimSignals(drop=drop, at=drop.opens_at)) | {"raw": "{}", "size": SIZE}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orders_pair")
        Pair.objects.filter(drop=drop, number__lt=4990).update(state="held")
        for statement, looks in ((LOOK, 2), (PLACE, 1)):
            cursor.execute(f"EXPLAIN {statement}", words)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert plan.count("using pair_by_size") == looks
            assert "Seq Scan on orders_pair" not in plan
