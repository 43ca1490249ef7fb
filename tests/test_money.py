"""Money under every fault the provider can play: the ledger and the order agree in the end."""

import json
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings
from stripe import WebhookSignature

from fulfillment.reviews import in_review
from orders import clock, tasks, workflow
from orders.audit import audit
from orders.metrics import exposition
from orders.models import EventsRead, Order, Pair, Payment, Reconciliation, WebhookEvent, WebhookRefusals, Work
from orders.payments import payment_provider, stripe, webhooks
from orders.payments.paylab import faults
from orders.payments.paylab.models import Fault, FaultKind
from orders.payments.provider import LedgerEntry, PaymentState
from orders.states import Outcome, PairState, State, Step
from tests.life import approve, fresh, hang_up, later, open_drop, paid_order, pay, place, reject, settle, story

pytestmark = pytest.mark.usefixtures("strangers")

REFUSED_POSTCODE = "REFUSE"  # the carrier takes no parcel to it


def settle_with_retries(rounds: int = 12) -> None:
    """Let time pass in the steps that retries need, the provider's own included."""
    from orders.payments.paylab.books import end_what_is_due

    for _ in range(rounds):
        settle()
        end_what_is_due()
        later(timedelta(seconds=61))
    settle()


def ledger() -> list[LedgerEntry]:
    return list(payment_provider().ledger())


def in_review_now() -> Order:
    order = paid_order(open_drop())
    assert order.state == State.AWAITING_APPROVAL
    return order


def approved_by(order: Order, **changes: Any) -> Order:
    approve(order)
    settle_with_retries()
    return fresh(order)


def test_it_works():
    order = approved_by(in_review_now())
    assert order.state == State.SHIPPED
    assert [(entry.captures, entry.captured, entry.refunds) for entry in ledger()] == [(1, 29900, 0)]
    assert audit().violations == []


# --- calls that fail or lie -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER, FaultKind.TIMEOUT_AFTER])
@pytest.mark.parametrize("action", ["create_session", "get_session", "capture_intent"])
def test_a_call_that_fails_on_the_way_there_is_made_good(kind: FaultKind, action: str, monkeypatch: Any):
    monkeypatch.setattr(stripe, "TIME_OUT", (4.0, 0.5))
    hang_up()
    faults.add(kind, action=action, left=2, delay=timedelta(seconds=1))
    order = place(open_drop())
    settle_with_retries(3)
    pay(order)
    settle_with_retries(3)
    order = approved_by(order)
    assert order.state == State.SHIPPED
    assert Fault.objects.get().left in (0, 1), "the fault was really played"
    assert [(entry.captures, entry.captured, entry.refunds) for entry in ledger()] == [(1, 29900, 0)]
    assert audit().violations == []
    hang_up()


@pytest.mark.parametrize("kind", [FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER])
@pytest.mark.parametrize("action", ["expire_session", "get_session", "cancel_intent", "create_refund", "get_intent"])
def test_a_call_that_fails_on_the_way_back_is_made_good(kind: FaultKind, action: str):
    refunded = paid_order(open_drop(), postcode=REFUSED_POSTCODE)
    voided, unpaid = paid_order(refunded.drop), place(refunded.drop)
    settle()
    faults.add(kind, action=action, left=2)
    approve(refunded)
    reject(voided)
    workflow.cancel_order(public_id=unpaid.public_id)
    settle_with_retries()
    assert [fresh(order).state for order in (refunded, voided, unpaid)] == [State.COMPENSATED] * 3
    assert sorted((entry.state, entry.refunds) for entry in ledger()) == [("refunded", 1), ("voided", 0)]
    assert audit().violations == []


def test_a_key_that_brought_a_500_is_not_used_again_and_another_is():
    order = in_review_now()
    faults.add(FaultKind.ERROR_BEFORE, action="capture_intent", left=1)
    assert approved_by(order).state == State.SHIPPED
    payment = Payment.objects.get(order=order)
    assert payment.spent_keys == {"capture": 1}
    with payment.keyed("capture") as key, payment.keyed("void") as other:
        assert (key, other) == (f"{order.number}:capture:2", f"{order.number}:void")


def test_a_key_whose_words_have_changed_since_is_not_used_again(settings: Any):
    """A release that words the request anew meets its own older request under the same key."""
    order = place(open_drop())
    faults.add(FaultKind.ERROR_AFTER, action="create_session", left=1)
    settle()
    assert fresh(order).state == State.PROCESSING
    Payment.objects.filter(order=order).update(spent_keys={})
    order.drop.name = "Another name"
    order.drop.save()
    settle_with_retries(3)
    assert fresh(order).state == State.AWAITING_PAYMENT


def test_a_provider_that_cannot_be_reached_releases_nothing_and_staff_see_it(settings: Any):
    order = place(open_drop())
    settle()
    reachable, settings.PAYMENT_API_BASE = settings.PAYMENT_API_BASE, "http://127.0.0.1:9"
    later(django_settings.PAYMENT_TIMEOUT + timedelta(seconds=1))
    settle()
    assert fresh(order).state == State.AWAITING_PAYMENT
    assert Pair.objects.get(number=order.pair_number).state == PairState.HELD
    assert "cannot be reached" in Work.objects.get(order=order).last_error
    later(timedelta(seconds=6))
    assert any("waits for the provider" in text for text in audit().warnings)
    settings.PAYMENT_API_BASE = reachable
    settle_with_retries(3)
    assert fresh(order).outcome == Outcome.PAYMENT_TIMEOUT


def test_a_page_that_the_provider_does_not_call_closed_keeps_the_pair(monkeypatch: Any):
    """Its answer to the expiry was yes, and its next word is that the page is open still."""
    order = place(open_drop())
    settle()
    stale = payment_provider().fetch(Payment.objects.get(order=order).session_ref)
    with monkeypatch.context() as patched:
        patched.setattr(stripe.StripeProvider, "expire_session", lambda self, ref, key: stale)
        workflow.cancel_order(public_id=order.public_id)
        settle()
        assert Pair.objects.get(number=order.pair_number).state == PairState.HELD
    settle_with_retries(3)
    assert fresh(order).state == State.COMPENSATED


# --- capture, void, refund ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "outcome"), [(FaultKind.CAPTURE_FAILS, Outcome.PAYMENT_FAILED), (FaultKind.LAPSES, Outcome.PAYMENT_FAILED)]
)
def test_money_that_cannot_be_taken_undoes_the_order(kind: FaultKind, outcome: Outcome):
    faults.add(kind, delay=timedelta(seconds=30))
    order = in_review_now()
    if kind == FaultKind.LAPSES:
        later(timedelta(seconds=31))
    order = approved_by(order)
    assert (order.state, order.outcome) == (State.COMPENSATED, outcome)
    assert [entry.state for entry in ledger()] == [PaymentState.VOIDED]
    assert audit().violations == []


def test_an_authorisation_that_lapses_in_review_undoes_the_order():
    faults.add(FaultKind.LAPSES, delay=timedelta(seconds=30))
    order = in_review_now()
    settle_with_retries(3)
    assert fresh(order).outcome == Outcome.PAYMENT_FAILED
    assert "authorisation lapsed" in story(order)


def test_an_authorisation_about_to_lapse_moves_its_review_up():
    first = in_review_now()
    later(timedelta(minutes=1))
    faults.add(FaultKind.LAPSES, delay=timedelta(hours=1))
    second = paid_order(first.drop)
    assert [order.number for order in in_review()] == [second.number, first.number]


def test_a_refund_that_fails_is_made_again_with_another_key_and_the_pair_is_not_held_by_it():
    faults.add(FaultKind.REFUND_FAILS, left=2, delay=timedelta(seconds=1))
    order = paid_order(open_drop(), postcode=REFUSED_POSTCODE)
    approve(order)
    settle()
    held_up = fresh(order)
    assert (held_up.state, held_up.pair_id) == (State.COMPENSATING, None), "the pair is on sale again"
    settle_with_retries()
    order = fresh(order)
    assert (order.state, order.outcome) == (State.COMPENSATED, Outcome.ERROR)
    assert [(entry.state, entry.refunds) for entry in ledger()] == [(PaymentState.REFUNDED, 1)]
    assert Payment.objects.get(order=order).spent_keys["refund"] == 2
    assert audit().violations == []


def test_a_refund_that_takes_its_time_is_waited_for():
    faults.add(FaultKind.REFUND_PENDING, delay=timedelta(minutes=5))
    order = paid_order(open_drop(), postcode=REFUSED_POSTCODE)
    approve(order)
    settle_with_retries(2)
    assert fresh(order).state == State.COMPENSATING
    settle_with_retries(6)
    assert fresh(order).state == State.COMPENSATED
    assert [(entry.state, entry.refunds) for entry in ledger()] == [(PaymentState.REFUNDED, 1)]


def test_a_refund_under_way_is_not_asked_for_again(monkeypatch: Any):
    faults.add(FaultKind.REFUND_PENDING, delay=timedelta(minutes=5))
    order = paid_order(open_drop(), postcode=REFUSED_POSTCODE)
    asked: list[str] = []
    refund = stripe.StripeProvider.refund

    def listen(self: Any, intent_ref: str, **words: Any) -> None:
        asked.append(intent_ref)
        refund(self, intent_ref, **words)

    monkeypatch.setattr(stripe.StripeProvider, "refund", listen)
    approve(order)
    settle_with_retries(8)
    assert fresh(order).state == State.COMPENSATED
    assert len(asked) == 1


def test_money_in_another_amount_does_not_pay_an_order_and_goes_back():
    order = place(open_drop())
    settle()
    Payment.objects.filter(order=order).update(amount=19900)  # what was asked for is not what the page took
    pay(order)
    settle()
    assert fresh(order).outcome == Outcome.PAYMENT_FAILED
    assert [entry.state for entry in ledger()] == [PaymentState.VOIDED]


def test_a_capture_of_another_amount_ships_nothing(monkeypatch: Any):
    capture = stripe.StripeProvider.capture

    def less(self: Any, intent_ref: str, *, amount: int, key: str) -> None:
        capture(self, intent_ref, amount=amount - 1, key=key)

    monkeypatch.setattr(stripe.StripeProvider, "capture", less)
    order = approved_by(in_review_now())
    assert order.outcome == Outcome.PAYMENT_FAILED
    assert [(entry.captured, entry.state) for entry in ledger()] == [(29899, PaymentState.REFUNDED)]


def test_a_void_that_fails_is_tried_until_it_works():
    faults.add(FaultKind.VOID_FAILS, left=3)
    order = in_review_now()
    reject(order)
    settle_with_retries()
    assert fresh(order).state == State.COMPENSATED
    assert [entry.state for entry in ledger()] == [PaymentState.VOIDED]


# --- webhooks that are lost, late, doubled ----------------------------------------------------------------------------


def test_a_lost_webhook_is_read_from_the_providers_list_and_costs_nobody_a_pair():
    faults.add(FaultKind.WEBHOOK_LOST)
    order = place(open_drop())
    settle()
    pay(order)
    settle()
    assert fresh(order).state == State.AWAITING_PAYMENT
    assert not WebhookEvent.objects.exists()
    tasks.read_events()
    settle()
    assert fresh(order).state == State.AWAITING_PAYMENT, "so young, it may still come by itself"
    later(timedelta(seconds=30))
    tasks.read_events()
    settle()
    assert fresh(order).state == State.AWAITING_APPROVAL
    seen = WebhookEvent.objects.count()
    later(timedelta(seconds=30))
    tasks.read_events()
    assert WebhookEvent.objects.count() == seen


def test_of_two_readers_at_once_one_reads(monkeypatch: Any):
    assert webhooks.read_what_never_came() == 0
    calls: list[Any] = []

    def events(self: Any, since: Any) -> Any:
        calls.append(since)
        return iter(())

    monkeypatch.setattr(stripe.StripeProvider, "events", events)
    webhooks.read_what_never_came()
    assert calls == []
    later(timedelta(seconds=30))
    webhooks.read_what_never_came()
    assert len(calls) == 1


def test_a_provider_that_is_away_is_read_the_next_time(settings: Any):
    settings.PAYMENT_API_BASE = "http://127.0.0.1:9"
    tasks.read_events()
    assert EventsRead.objects.get().until < clock.now() - timedelta(hours=23)


@pytest.mark.parametrize("kind", [FaultKind.WEBHOOK_TWICE, FaultKind.WEBHOOK_OVERTAKEN])
def test_webhooks_doubled_or_out_of_order_change_nothing(kind: FaultKind):
    faults.add(kind, rate=0.5, seed=3)
    order = paid_order(open_drop())
    settle_with_retries(2)
    order = approved_by(order)
    assert order.state == State.SHIPPED
    assert story(order).count("payment authorised") == 1
    assert audit().violations == []


def test_a_webhook_that_comes_after_the_deadline_finds_the_payment_was_seen():
    faults.add(FaultKind.WEBHOOK_LATE, delay=timedelta(hours=2))
    order = place(open_drop())
    settle()
    pay(order)
    later(django_settings.PAYMENT_TIMEOUT + timedelta(seconds=1))
    settle()
    assert fresh(order).state == State.AWAITING_APPROVAL
    later(timedelta(hours=2))
    settle()
    assert fresh(order).state == State.AWAITING_APPROVAL
    assert WebhookEvent.objects.exists()


def test_an_event_is_replayed_from_the_admin():
    order = in_review_now()
    event = WebhookEvent.objects.filter(order=order).first()
    assert event
    assert webhooks.replay(event, who="ops")
    assert Work.objects.filter(order=order, step=Step.CHECK_PAYMENT).exists()
    settle()
    assert "event replayed" in story(order)
    approved_by(order)
    assert not webhooks.replay(event, who="ops"), "nothing hangs on it any more"


# --- signatures over HTTP -------------------------------------------------------------------------------------------

EVENT = json.dumps(
    {
        "id": "evt_1",
        "object": "event",
        "type": "checkout.session.completed",
        "created": 1_800_000_000,
        "data": {"object": {"id": "cs_test_1", "object": "checkout.session", "metadata": {}}},
    }
)


def deliver(url: str, body: str | bytes, *, secret: str = "", age: int = 0) -> int:
    text = body if isinstance(body, str) else ""
    secret = secret or django_settings.PAYMENT_WEBHOOK_SECRETS[0]
    header = WebhookSignature.generate_signature_header(text, secret, int(time.time()) - age)
    return httpx.post(f"{url}/webhooks/stripe/", content=body, headers={"Stripe-Signature": header}).status_code


def test_what_the_official_library_signed_is_taken_once(strangers: Any):
    assert [deliver(strangers.url, EVENT) for _ in range(3)] == [200] * 3
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("reason", "body", "how"),
    [
        ("signature", EVENT, {"secret": "whsec_other"}),
        ("signature", EVENT.encode() + b" ", {}),
        ("time", EVENT, {"age": 3600}),
        ("time", EVENT, {"age": -27 * 3600}),
        ("body", "", {}),
        ("size", "x" * 1_000_000, {}),
    ],
)
def test_what_is_not_authentic_gets_400_and_one_metric(strangers: Any, reason: str, body: Any, how: Any):
    assert deliver(strangers.url, body, **how) == 400
    assert f'quantasneaks_webhooks_refused_total{{reason="{reason}"}} 1.0' in exposition().decode()
    assert deliver(strangers.url, body, **how) == 400
    assert list(WebhookRefusals.objects.values_list("reason", "count")) == [(reason, 2)]
    assert not WebhookEvent.objects.exists()


# --- reconciliation ---------------------------------------------------------------------------------------------------


def test_the_daily_reconciliation_finds_nothing_where_all_is_well():
    approved_by(in_review_now())
    tasks.reconcile()
    assert Reconciliation.objects.get().differences == []
    assert "quantasneaks_ledger_differences 0.0" in exposition().decode()


def test_a_page_of_the_ledger_that_fails_is_asked_for_again():
    in_review_now()
    faults.add(FaultKind.ERROR_BEFORE, action="list_intents", left=2)
    assert audit().violations == []
    assert Fault.objects.get().left == 0


def test_the_daily_reconciliation_alerts_on_any_difference(settings: Any, mailoutbox: Any):
    settings.ADMINS = [("Ops", "ops@example.org")]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    order = in_review_now()
    payment_provider().capture(Payment.objects.get(order=order).intent_ref, amount=29900, key="a stranger's hand")
    tasks.reconcile()
    assert "captured before a person approved" in Reconciliation.objects.get().differences[0]
    assert "quantasneaks_ledger_differences 1.0" in exposition().decode()
    assert mailoutbox[-1].to == ["ops@example.org"]
