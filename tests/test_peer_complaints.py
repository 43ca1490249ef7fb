"""What users of other shops complain about in public, each as something that cannot happen here.

A test's name gives the project and the number of its issue or pull request; what stands beside them in the field has
the same cause. Not applicable, because what broke there does not exist here:

- django-oscar 4524, PR 4594 (deadlock when lines are locked in the cart's order) and medusa 16502 (one item on two
  lines): an order is one pair, there are no lines.
- medusa 12401 (a negative counter without a tool to repair it): nothing is counted, the pairs themselves are looked at.
- pretix 1106 ("will expire soon" sent for an order just paid): no such mail is sent; the page shows the deadline.
- pretix 681, 2119, 3628 (waiting lists): there is none, a released pair is on sale again for everybody.
- WooCommerce 67354 is about a cart's reservation; ours is the order itself, and its owner is led back to it.
"""

import time
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from celery.signals import before_task_publish
from django.conf import settings as django_settings
from django.db import IntegrityError, transaction
from stripe import WebhookSignature

from orders import workflow
from orders.audit import audit
from orders.bell import ring
from orders.engine import run_due
from orders.errors import AlreadyClaimed, AlreadyDecided, SoldOut, TooLate
from orders.models import Drop, Order, Pair, Payment, WebhookEvent
from orders.payments import payment_provider
from orders.payments.paylab import faults
from orders.payments.paylab.models import Fault, FaultKind, Intent, IntentStatus, Session, SessionStatus
from orders.payments.provider import LedgerEntry, PaymentState
from orders.states import Outcome, PairState, State, Step
from orders.sweep import sweep
from tests.life import (
    a_claim,
    approve,
    at_once,
    deliver_webhooks,
    fresh,
    kinds,
    later,
    open_drop,
    paid_order,
    pay,
    place,
    reject,
    settle,
    story,
)

pytestmark = pytest.mark.usefixtures("strangers")

SECOND = timedelta(seconds=1)


@pytest.fixture
def drop() -> Drop:
    return open_drop({"9": 1})


@pytest.fixture
def unpaid(drop: Drop) -> Order:
    """Holds the drop's only pair, its page is open."""
    order = place(drop)
    settle()
    return fresh(order)


@pytest.fixture
def paid(drop: Drop) -> Order:
    return paid_order(drop)


def ledger() -> list[LedgerEntry]:
    return list(payment_provider().ledger())


def time_out(order: Order) -> Order:
    later(django_settings.PAYMENT_TIMEOUT + SECOND)
    settle()
    return fresh(order)


def pay_after_the_end(order: Order) -> None:
    """The provider breaks its word: the page that it closed takes money."""
    session = Session.objects.get(ref=Payment.objects.get(order=order).session_ref)
    Intent.objects.filter(session=session).update(status=IntentStatus.REQUIRES_PAYMENT_METHOD, canceled_at=None)
    Session.objects.filter(pk=session.pk).update(
        status=SessionStatus.OPEN, expires_at=session.expires_at + timedelta(days=365)
    )
    assert pay(order).status_code == 303


def deliver_again(*events: WebhookEvent) -> list[int]:
    secret = django_settings.PAYMENT_WEBHOOK_SECRETS[0]
    url = f"{django_settings.INTERNAL_URL}/webhooks/stripe/"

    def one(body: str) -> int:
        signature = WebhookSignature.generate_signature_header(body, secret, int(time.time()))
        return httpx.post(url, content=body, headers={"Stripe-Signature": signature}, timeout=20).status_code

    return at_once([partial(one, event.body) for event in events])


# --- the last pair ----------------------------------------------------------------------------------------------------


def test_peer_vendure_3508_the_last_item_is_sold_once(drop: Drop):
    assert kinds(at_once([lambda: place(drop)] * 12)) == {"Order": 1, "SoldOut": 11}


def test_peer_vendure_4930_a_payment_is_settled_once_whoever_looks_at_the_same_time(unpaid: Order):
    pay(unpaid)
    deliver_webhooks()
    at_once([lambda: run_due([Step.CHECK_PAYMENT], workflow.undo_order)] * 4)
    settle()
    assert story(unpaid).count("payment authorised") == 1


def test_peer_vendure_3065_of_two_customers_on_the_payment_page_nobody_is_charged_without_a_pair(unpaid: Order):
    time_out(unpaid)
    second = place(unpaid.drop)
    settle()
    assert [pay(order).status_code for order in (unpaid, second)] == [410, 303]
    settle()
    assert [entry.order_number for entry in ledger() if entry.state == PaymentState.AUTHORISED] == [second.number]


def test_peer_saleor_543_concurrent_checkouts_allocate_exactly_what_is_there():
    drop = open_drop({"9": 25})
    assert kinds(at_once([lambda: place(drop)] * 40)) == {"Order": 25, "SoldOut": 15}
    assert Pair.objects.filter(state=PairState.HELD).count() == 25


def test_peer_oscar_2102_no_update_of_an_allocation_is_lost_while_others_release():
    drop = open_drop({"9": 6})
    first = [place(drop) for _ in range(6)]
    settle()
    cancels: list[Any] = [lambda o=order: workflow.cancel_order(public_id=o.public_id) for order in first]
    assert kinds(at_once([*cancels, *[lambda: place(drop)] * 6])) == {"Order": 6, "SoldOut": 6}
    settle()
    assert Pair.objects.filter(state=PairState.ON_SALE).count() == 6
    assert kinds(at_once([lambda: place(drop)] * 12)) == {"Order": 6, "SoldOut": 6}


def test_peer_medusa_16569_the_schema_refuses_what_a_direct_call_would_lose(unpaid: Order):
    other = place(open_drop())
    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.filter(pk=other.pk).update(pair=unpaid.pair)


def test_peer_spree_3792_the_loser_learns_before_the_payment_and_not_after(unpaid: Order):
    with pytest.raises(SoldOut):
        place(unpaid.drop)
    assert Order.objects.count() == 1
    assert Session.objects.count() == 1


def test_peer_magento_12287_the_pair_is_reserved_first_and_given_back_where_the_order_fails(drop: Drop):
    faults.add(FaultKind.ERROR_BEFORE, action="create_session")
    order = place(drop)
    assert Pair.objects.get().state == PairState.HELD
    settle()
    later(django_settings.PAYMENT_TIMEOUT)  # whatever is tried until then, there is no page
    settle()
    assert (fresh(order).state, fresh(order).outcome) == (State.COMPENSATING, Outcome.ERROR)
    Fault.objects.all().delete()
    later(timedelta(minutes=1))
    settle()
    assert fresh(order).state == State.COMPENSATED
    assert Pair.objects.get().state == PairState.ON_SALE


def test_peer_event_espresso_109_an_unpaid_reservation_has_a_timer(unpaid: Order):
    callback = unpaid.open_callback()
    assert callback
    assert callback.deadline_at == unpaid.updated_at + django_settings.PAYMENT_TIMEOUT
    assert time_out(unpaid).outcome == Outcome.PAYMENT_TIMEOUT
    assert Pair.objects.get().state == PairState.ON_SALE


# --- late money -------------------------------------------------------------------------------------------------------


def test_peer_events_made_easy_496_a_page_does_not_take_money_for_a_pair_that_was_resold(unpaid: Order):
    time_out(unpaid)
    new_owner = paid_order(unpaid.drop)
    later(timedelta(minutes=25))
    assert pay(unpaid).status_code == 410
    settle()
    assert Pair.objects.get().orders.get() == new_owner
    assert audit().violations == []


def test_peer_pretix_74_money_without_a_pair_is_found_and_returned(unpaid: Order):
    time_out(unpaid)
    paid_order(unpaid.drop)  # the pair is gone
    pay_after_the_end(unpaid)
    settle()
    assert "late money returned" in story(unpaid)
    assert fresh(unpaid).outcome == Outcome.PAYMENT_TIMEOUT
    assert audit().violations == []


def test_peer_pretix_92_an_expired_order_is_not_paid_at_its_old_price(unpaid: Order):
    time_out(unpaid)
    Drop.objects.update(price=39900)
    assert pay(unpaid).status_code == 410
    again = place(unpaid.drop)
    settle()
    assert payment_provider().fetch(Payment.objects.get(order=again).session_ref).amount == 39900


def test_peer_pretix_827_money_that_was_in_flight_at_the_deadline_counts(unpaid: Order):
    faults.add(FaultKind.WEBHOOK_LATE, delay=timedelta(hours=3))
    later(django_settings.PAYMENT_TIMEOUT - 5 * SECOND)
    pay(unpaid)
    later(6 * SECOND)
    settle()
    assert fresh(unpaid).state == State.AWAITING_APPROVAL


def test_peer_pretix_2629_an_abandoned_page_expires_though_no_webhook_ever_comes(unpaid: Order):
    faults.add(FaultKind.WEBHOOK_LOST)
    assert time_out(unpaid).outcome == Outcome.PAYMENT_TIMEOUT
    assert not WebhookEvent.objects.exists()


def test_peer_woocommerce_stripe_5703_money_that_settles_after_the_cancellation_goes_back_once(unpaid: Order):
    workflow.cancel_order(public_id=unpaid.public_id)
    settle()
    pay_after_the_end(unpaid)
    settle()
    deliver_again(*WebhookEvent.objects.filter(order=unpaid, type="checkout.session.completed"))
    settle()
    assert story(unpaid).count("late money returned") == 1
    assert (fresh(unpaid).state, fresh(unpaid).outcome) == (State.COMPENSATED, Outcome.CANCELLED)
    assert [(entry.state, entry.refunds) for entry in ledger()] == [(PaymentState.VOIDED, 0)]


def test_peer_mollie_1252_a_late_paid_webhook_does_not_revive_a_refunded_order(drop: Drop):
    order = paid_order(drop, postcode="REFUSE")
    approve(order)
    settle()
    assert [entry.state for entry in ledger()] == [PaymentState.REFUNDED]
    before = story(order)
    event = WebhookEvent.objects.get(order=order, type="checkout.session.completed")
    WebhookEvent.objects.filter(pk=event.pk).delete()  # as if it came for the first time
    assert deliver_again(event) == [200]
    settle()
    assert (fresh(order).state, story(order)) == (State.COMPENSATED, before)
    assert Pair.objects.get().state == PairState.ON_SALE


# --- deadlines --------------------------------------------------------------------------------------------------------


def test_peer_pretix_134_many_orders_expire_in_one_sweep():
    drop = open_drop({"9": 20})
    orders = [place(drop) for _ in range(20)]
    settle()
    later(django_settings.PAYMENT_TIMEOUT + SECOND)
    sweep()
    assert Order.objects.filter(work__step=Step.CHECK_PAYMENT).count() == len(orders)
    settle()
    assert set(Order.objects.values_list("outcome", flat=True)) == {Outcome.PAYMENT_TIMEOUT}


def test_peer_pretix_1255_an_order_in_review_has_a_deadline_of_its_own_and_can_be_approved_until_then(paid: Order):
    later(django_settings.PAYMENT_TIMEOUT + timedelta(hours=20))
    settle()
    assert fresh(paid).state == State.AWAITING_APPROVAL
    approve(paid)
    settle()
    assert fresh(paid).state == State.SHIPPED


def test_peer_pretix_2160_an_approval_that_comes_too_late_says_so(paid: Order):
    later(django_settings.APPROVAL_TIMEOUT)
    with pytest.raises(TooLate):
        approve(paid)
    settle()
    assert fresh(paid).outcome == Outcome.APPROVAL_TIMEOUT


def test_peer_woocommerce_stripe_5759_the_deadline_asks_the_provider_before_it_cancels(unpaid: Order):
    faults.add(FaultKind.WEBHOOK_LOST)
    pay(unpaid)
    assert time_out(unpaid).state == State.AWAITING_APPROVAL


# --- webhooks beside everything else ----------------------------------------------------------------------------------


def test_peer_woocommerce_stripe_2331_return_and_webhook_together_complete_an_order_once(unpaid: Order, strangers: Any):
    faults.add(FaultKind.WEBHOOK_TWICE)
    pay(unpaid)
    assert httpx.get(f"{strangers.url}/orders/{unpaid.public_id}/").status_code == 200
    assert fresh(unpaid).state == State.AWAITING_PAYMENT, "the browser's return moves nothing"
    settle()
    later(timedelta(minutes=1))
    settle()
    assert story(unpaid).count("payment authorised") == 1
    assert [mail.kind for mail in unpaid.mails.all()].count(Step.SEND_AUTHORISED) == 1


def test_peer_woocommerce_stripe_2679_an_uncaptured_order_in_review_stays_there_until_it_is_approved(paid: Order):
    deliver_again(*WebhookEvent.objects.filter(order=paid))
    later(django_settings.PAYMENT_TIMEOUT)
    settle()
    assert fresh(paid).state == State.AWAITING_APPROVAL
    approve(paid)
    settle()
    assert [(entry.captures, entry.captured) for entry in ledger()] == [(1, paid.drop.price)]


def test_peer_medusa_13301_webhook_and_deadline_at_once_are_one_answer(unpaid: Order):
    pay(unpaid)
    later(django_settings.PAYMENT_TIMEOUT + SECOND)
    sweep()
    at_once([lambda: run_due([Step.CHECK_PAYMENT], workflow.undo_order)] * 4)
    settle()
    assert story(unpaid).count("payment authorised") == 1
    assert fresh(unpaid).state == State.AWAITING_APPROVAL


def test_peer_medusa_4798_two_approvals_at_once_capture_once(paid: Order):
    assert kinds(at_once([lambda: approve(paid)] * 4)) == {"Order": 1, "AlreadyDecided": 3}
    at_once([lambda: run_due([Step.CAPTURE_PAYMENT], workflow.undo_order)] * 4)
    settle()
    assert [(entry.captures, entry.captured) for entry in ledger()] == [(1, paid.drop.price)]


def test_peer_dj_stripe_1239_an_event_that_comes_ten_times_at_once_is_answered_200_each_time(paid: Order):
    event = WebhookEvent.objects.get(order=paid, type="checkout.session.completed")
    WebhookEvent.objects.all().delete()
    assert deliver_again(*[event] * 10) == [200] * 10
    assert WebhookEvent.objects.count() == 1
    settle()
    assert deliver_again(event) == [200]
    assert not paid.work.exists()


def test_peer_solidus_stripe_188_the_news_of_our_own_refund_is_no_reason_for_another(drop: Drop):
    order = paid_order(drop, postcode="REFUSE")
    faults.add(FaultKind.WEBHOOK_TWICE)
    approve(order)
    for _ in range(3):
        settle()
        later(timedelta(minutes=1))
    assert [(entry.state, entry.refunds) for entry in ledger()] == [(PaymentState.REFUNDED, 1)]
    assert "late money returned" not in story(order)


def test_peer_saleor_apps_2446_keys_are_per_action_and_not_per_amount(drop: Drop):
    """Capture and refund move the same amount; one must not be taken for the other."""
    order = paid_order(drop, postcode="REFUSE")
    approve(order)
    settle()
    payment = Payment.objects.get(order=order)
    assert (payment.captured, payment.refunded) == (order.drop.price, order.drop.price)


# --- people -----------------------------------------------------------------------------------------------------------


def test_peer_exchange_562_of_two_reviewers_at_once_one_decides(paid: Order):
    results = at_once([lambda: approve(paid), lambda: reject(paid)])
    assert sorted(kinds(results).values()) == [1, 1]
    assert any(isinstance(result, AlreadyDecided) for result in results)


def test_peer_woocommerce_67354_who_holds_a_pair_is_led_back_to_it_and_may_have_another_after_giving_it_up(drop: Drop):
    claim = a_claim()
    order = place(drop, claim)
    with pytest.raises(AlreadyClaimed):
        place(drop, claim)
    settle()
    assert order.mails.filter(kind=Step.SEND_LINK).exists()
    workflow.cancel_order(public_id=order.public_id)
    settle()
    assert place(drop, claim).state == State.PROCESSING


def test_peer_celery_2481_no_deadline_waits_in_the_broker():
    """Redis delivers a message with a far ETA again and again; our deadlines are rows, and beat looks at them."""
    sent: list[dict[str, Any]] = []

    def look(headers: dict[str, Any], **_: Any) -> None:
        sent.append(headers)

    before_task_publish.connect(look)
    try:
        ring(Step)
    finally:
        before_task_publish.disconnect(look)
    assert sent
    assert {message["eta"] for message in sent} == {None}
