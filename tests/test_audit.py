"""The audit finds what is wrong: each test breaks one thing behind the shop's back and reads the finding."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from orders import audit as auditing
from orders import clock
from orders.models import Callback, Drop, Mail, Order, Pair, SweepBeat, Work
from orders.payments import payment_provider
from orders.states import Step
from tests.life import approve, fresh, open_drop, paid_order, pay, place, settle, taken_up

pytestmark = pytest.mark.usefixtures("strangers")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(auditing, "SECOND_LOOK", 0.0)


def violations() -> str:
    return "\n".join(auditing.audit().violations)


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_healthy_shop_has_no_violations():
    drop = open_drop({"9": 5})
    place(drop)
    order = paid_order(drop)
    approve(order)
    settle()
    report = auditing.audit()
    assert (report.violations, report.warnings) == ([], [])
    assert report.orders == 2
    assert report.by_status == {"awaiting_payment": 1, "shipped": 1}


def test_the_command_prints_one_json_object_and_its_exit_says_so():
    order = paid_order(open_drop())
    out = StringIO()
    call_command("audit", "--json", stdout=out)
    printed = json.loads(out.getvalue())
    assert set(printed) == {"orders", "by_status", "by_outcome", "violations", "warnings"}
    Pair.objects.filter(pk=order.pair_id).update(state="on_sale")
    with pytest.raises(SystemExit) as exit_:
        call_command("audit", "--json", stdout=StringIO())
    assert exit_.value.code == 1


@pytest.mark.parametrize("state", ["on_sale", "sold"])
def test_a_held_pair_that_says_otherwise(state):
    order = paid_order(open_drop())
    Pair.objects.filter(pk=order.pair_id).update(state=state)
    assert f"pair 1 is {state}" in violations()


def test_a_pair_that_nobody_holds_and_that_is_not_on_sale():
    Pair.objects.filter(drop=open_drop(), number=2).update(state="held")
    assert "pair 2 is held, held by 0 orders" in violations()


def test_a_missing_pair():
    Pair.objects.filter(drop=open_drop(), number=2).delete()
    assert "2 pairs, but the last number is 3" in violations()


def test_one_customer_twice_under_keys_that_hide_it():
    drop = open_drop()
    place(drop)
    place(drop)
    Order.objects.update(email="ada@example.org")
    assert "the same customer twice" in violations()


def test_money_captured_for_an_order_that_nobody_approved():
    order = paid_order(open_drop())
    order.payment.refresh_from_db()
    payment_provider().capture(order.payment.intent_ref, amount=order.payment.amount, key="a thief")
    assert "captured before a person approved" in violations()


def test_money_refunded_for_a_shipped_order():
    order = paid_order(open_drop())
    approve(order)
    settle()
    order.payment.refresh_from_db()
    payment_provider().refund(order.payment.intent_ref, amount=order.payment.amount, key="a mistake")
    assert "shipped, but refunded" in violations()


def test_an_order_in_review_whose_money_is_gone():
    order = paid_order(open_drop())
    payment_provider().void(fresh(order).payment.intent_ref, key="lapsed")
    assert f"order {order.number}: awaiting_approval but holds no authorised money" in violations()


def test_money_kept_for_an_order_that_was_undone():
    order = place(open_drop())
    settle()
    pay(order)
    sql("UPDATE orders_callback SET resolved_at = now(), resolution = 'failure'")
    sql("UPDATE orders_order SET state = 'compensated', outcome = 'error', pair_id = NULL, undo = '{}'")
    assert "undone, but money is kept" in violations()


def test_a_ledger_that_cannot_be_read(settings):
    place(open_drop())
    settings.PAYMENT_API_BASE = "http://127.0.0.1:9/paylab"
    assert "ledger could not be read" in violations()


def test_an_order_that_waits_for_nothing():
    paid_order(open_drop())
    Callback.objects.open().update(resolved_at=clock.now(), resolution="failure")
    assert "awaiting_approval without one open approval callback" in violations()


def test_a_deadline_that_nobody_picked_up_is_grave_only_while_the_sweep_runs():
    paid_order(open_drop())
    Callback.objects.open().update(deadline_at=clock.now() - timedelta(minutes=1))
    assert "nobody picked it up" in violations()
    SweepBeat.objects.update(at=clock.now() - timedelta(minutes=2))
    report = auditing.audit()
    assert report.violations == []
    assert any("no sweep" in text for text in report.warnings)


def test_an_expiry_that_waits_for_the_provider_is_a_warning():
    paid_order(open_drop())
    Callback.objects.open().update(deadline_at=clock.now() - timedelta(minutes=1), picked_up_at=clock.now())
    report = auditing.audit()
    assert report.violations == []
    assert any("waits for the provider" in text for text in report.warnings)


def test_a_journal_that_tells_another_state():
    order = paid_order(open_drop())
    sql("UPDATE orders_callback SET resolved_at = now(), resolution = 'success' WHERE resolved_at IS NULL")
    sql("UPDATE orders_order SET state = 'approved'")
    assert f"order {order.number}: its journal tells another state" in violations()


def test_an_order_that_nothing_comes_next_for():
    order = place(open_drop())
    Work.objects.filter(order=order).delete()
    assert f"order {order.number}: stranded" in violations()


def test_a_queue_before_busy_hands_is_a_warning():
    paid_order(open_drop())  # worked on just now
    place(Drop.objects.get())
    SweepBeat.objects.update(at=clock.now())
    Work.objects.update(due_at=clock.now() - timedelta(minutes=1))
    report = auditing.audit()
    assert report.violations == []
    assert any("due and untouched" in text for text in report.warnings)


def test_work_that_lies_about():
    place(open_drop())
    SweepBeat.objects.create(at=clock.now())
    Work.objects.update(due_at=clock.now() - timedelta(minutes=1))
    assert "due and untouched" in violations()
    with taken_up([Step.SCORE_RISK]) as lease:
        assert lease
        Work.objects.update(started_at=clock.now() - timedelta(hours=1))
        assert "score_risk is held for longer" in violations()


def test_a_final_order_whose_customer_was_not_told():
    order = paid_order(open_drop())
    approve(order)
    settle()
    Mail.objects.filter(order=order, kind="send_confirmation").delete()
    assert f"order {order.number}: shipped without send_confirmation" in violations()
