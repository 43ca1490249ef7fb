"""The order's life, from the claim to the parcel, and every way back."""

from datetime import timedelta

import httpx
import pytest
from django.conf import settings as django_settings

from orders import workflow
from orders.audit import audit
from orders.engine import begin
from orders.errors import AlreadyDecided, NotInReview, TooLate
from orders.models import Mail, Order, Pair, Payment, Shipment
from orders.payments.page import begin_payment, open_page
from orders.states import Outcome, PairState, State, Step
from tests.life import (
    DECLINED_CARD,
    a_claim,
    approve,
    fresh,
    held_locks,
    later,
    one_step,
    open_drop,
    paid_order,
    pay,
    place,
    reject,
    settle,
    story,
    taken_up,
)

pytestmark = pytest.mark.usefixtures("strangers")


def assert_undone(order: Order, outcome: Outcome) -> None:
    order = fresh(order)
    assert (order.state, order.outcome, order.pair_id, order.undo) == (State.COMPENSATED, outcome, None, [])
    pair = Pair.objects.get(drop=order.drop, number=order.pair_number)
    assert pair.state == PairState.ON_SALE
    assert [mail.kind for mail in order.mails.filter(kind=Step.SEND_APOLOGY)] == [Step.SEND_APOLOGY]
    assert audit().violations == []


def test_it_works():
    order = place(open_drop())
    assert (order.state, order.pair_number) == (State.PROCESSING, 1)
    settle()
    assert fresh(order).state == State.AWAITING_PAYMENT
    assert fresh(order).score is not None

    assert pay(order).status_code == 303
    settle()
    assert fresh(order).state == State.AWAITING_APPROVAL

    approve(order)
    settle()
    order = fresh(order)
    assert (order.state, order.outcome, order.undo) == (State.SHIPPED, "", [])
    assert Shipment.objects.get(order=order).tracking_number
    assert Pair.objects.get(pk=order.pair_id).state == PairState.SOLD
    assert story(order) == [
        "claimed",
        "scored",
        "payment page opened",
        "mail sent",
        "payment authorised",
        "mail sent",
        "approved",
        "payment captured",
        "shipped",
        "mail sent",
    ]
    assert audit().violations == []
    assert held_locks() == 0


def test_a_rejected_order_is_voided_and_its_pair_is_back_on_sale():
    order = paid_order(open_drop())
    reject(order)
    settle()
    assert_undone(order, Outcome.REJECTED)
    assert order.payment.refunded == 0
    assert story(order)[-4:-1] == ["payment voided", "pair released", "compensated"]


def test_a_declined_card_leaves_the_order_and_another_card_pays_it():
    order = place(open_drop())
    settle()
    pay(order, DECLINED_CARD)
    settle()
    assert fresh(order).state == State.AWAITING_PAYMENT
    pay(order)
    settle()
    assert fresh(order).state == State.AWAITING_APPROVAL


def test_an_order_that_is_not_paid_in_time_is_undone():
    order = place(open_drop())
    settle()
    later(django_settings.PAYMENT_TIMEOUT - timedelta(seconds=1))
    settle()
    assert fresh(order).state == State.AWAITING_PAYMENT
    later(timedelta(seconds=2))
    settle()
    assert_undone(order, Outcome.PAYMENT_TIMEOUT)
    assert pay(order).status_code in (409, 410)


def test_a_payment_made_in_time_wins_over_the_deadline_even_if_its_webhook_is_lost():
    order = place(open_drop())
    settle()
    pay(order)  # nobody delivers the webhook before the deadline
    later(django_settings.PAYMENT_TIMEOUT + timedelta(seconds=2))
    settle()
    assert fresh(order).state == State.AWAITING_APPROVAL


def test_an_order_that_nobody_decides_in_time_is_undone():
    order = paid_order(open_drop())
    later(django_settings.APPROVAL_TIMEOUT + timedelta(seconds=1))
    with pytest.raises(TooLate):
        approve(order)
    settle()
    assert_undone(order, Outcome.APPROVAL_TIMEOUT)
    with pytest.raises(TooLate):
        reject(order)


@pytest.mark.parametrize("when", ["processing", "awaiting_payment", "awaiting_approval"])
def test_the_customer_may_cancel_until_approval(when):
    order = place(open_drop())
    if when != "processing":
        settle()
    if when == "awaiting_approval":
        pay(order)
        settle()
    assert fresh(order).state == when
    workflow.cancel_order(public_id=order.public_id)
    workflow.cancel_order(public_id=order.public_id)  # once more changes nothing
    settle()
    assert_undone(order, Outcome.CANCELLED)
    assert story(order).count("cancelled") == 1


def test_a_cancel_after_approval_comes_too_late():
    order = paid_order(open_drop())
    approve(order)
    with pytest.raises(TooLate):
        workflow.cancel_order(public_id=order.public_id)
    settle()
    assert fresh(order).state == State.SHIPPED


def test_only_a_paid_order_is_decided_and_only_once():
    drop = open_drop()
    unpaid = place(drop)
    with pytest.raises(NotInReview):
        approve(unpaid)
    order = paid_order(drop)
    approve(order)
    for again in (approve, reject):
        with pytest.raises(AlreadyDecided):
            again(order)


def test_a_carrier_that_refuses_after_the_capture_means_a_refund():
    order = paid_order(open_drop(), postcode="REFUSE")
    approve(order)
    settle()
    assert_undone(order, Outcome.ERROR)
    order.payment.refresh_from_db()
    assert order.payment.refunded == order.payment.amount
    assert not Shipment.objects.filter(order=order).exists()
    assert "payment captured" in story(order)


@pytest.mark.parametrize("postcode", ["FLAKY", "LOST"])
def test_a_carrier_that_fails_for_a_while_gets_one_parcel_in_the_end(postcode):
    order = paid_order(open_drop(), postcode=postcode)
    approve(order)
    for _ in range(4):
        settle()
        later(timedelta(minutes=1))
    assert fresh(order).state == State.SHIPPED
    assert Mail.objects.filter(order=order, kind=Step.SEND_CONFIRMATION).count() == 1


def test_a_released_pair_goes_to_the_next_customer():
    drop = open_drop({"9": 1})
    first = place(drop)
    workflow.cancel_order(public_id=first.public_id)
    settle()
    assert place(drop).pair_number == first.pair_number


def test_money_that_comes_after_the_end_is_returned_once(strangers):
    """A page that we believe closed takes money all the same: our provider is not perfect."""
    order = place(open_drop())
    settle()
    session = order.payment
    session.refresh_from_db()
    workflow.cancel_order(public_id=order.public_id)
    # The provider's page was paid before the cancel; its word reaches us only after the order ended.
    assert pay(order).status_code == 303
    one_step(Step.COMPENSATE)
    settle()
    assert_undone(order, Outcome.CANCELLED)
    assert Payment.objects.get(order=order).state == "voided"


def test_the_mails_lie_in_the_data_directory_with_the_guest_link(strangers):
    order = paid_order(open_drop())
    approve(order)
    settle()
    mails = sorted((django_settings.DATA_DIR.mails).glob("*.eml"))
    assert len(mails) == 3
    assert all(str(order.public_id) in mail.read_text() for mail in mails)


def test_the_status_page_is_reachable_by_the_link(strangers):
    order = place(open_drop())
    answer = httpx.get(f"{strangers.url}/orders/{order.public_id}/status")
    assert answer.json()["status"] == "processing"
    assert a_claim().customer_key.endswith("@example.org")


def test_a_queue_before_the_payment_page_does_not_shorten_the_time_to_pay():
    order = place(open_drop())
    one_step(Step.SCORE_RISK)
    later(django_settings.PAYMENT_TIMEOUT + timedelta(minutes=1))  # the rush: the step waits for a free worker
    settle()
    order = fresh(order)
    assert order.state == State.AWAITING_PAYMENT
    assert order.payment.expires_at - order.events.get(what="payment page opened").at > timedelta(minutes=59)


def test_a_crash_before_the_provider_was_asked_leaves_nothing_to_return():
    order = place(open_drop())
    one_step(Step.SCORE_RISK)
    with taken_up([Step.OPEN_PAYMENT]) as lease:
        begin(lease)  # and the process is gone
    workflow.cancel_order(public_id=order.public_id)
    settle()
    assert_undone(order, Outcome.CANCELLED)
    assert "no payment to return" in story(order)


def test_a_page_whose_answer_was_lost_is_found_and_closed():
    order = place(open_drop())
    one_step(Step.SCORE_RISK)
    with taken_up([Step.OPEN_PAYMENT]) as lease:
        assert begin(lease)
        begin_payment(lease.order)
        session = open_page(lease.order)  # the provider made it, and the process is gone
    workflow.cancel_order(public_id=order.public_id)
    settle()
    assert_undone(order, Outcome.CANCELLED)
    assert httpx.post(session.url, data={"card": "4242424242424242"}).status_code in (409, 410)
