"""Money, whoever holds it: the same cases of page, hold, capture, void and refund for PayLab and Stripe's test mode.

A case says only what Stripe documents or is known to answer, so that PayLab cannot pass by being PayLab. Keys are new
in each run: Stripe keeps them for a day.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.errors import KeySpent, Permanent
from orders.payments.provider import PaymentState
from tests.backends import (
    PART,
    PRICE,
    UNKNOWN_INTENT,
    UNKNOWN_PAGE,
    BackEnd,
    backend,
    captured,
    in_an_hour,
    in_ledger,
    key,
    open_page,
    refunded,
    refunds_of,
    refusal_of,
    voided,
)
from tests.life import strangers

__all__ = ["backend", "strangers"]  # fixtures


# --- a page is made -------------------------------------------------------------------------------


def test_a_page_has_a_name_an_address_and_its_end(backend: BackEnd) -> None:
    end = in_an_hour()
    page = open_page(backend, expires_at=end)
    assert page.ref.startswith("cs_test_")
    assert page.url.startswith("http")
    assert page.expires_at == end


def test_a_fresh_page_is_open_and_nobody_tried_to_pay(backend: BackEnd) -> None:
    page = open_page(backend)
    payment = backend.provider.fetch(page.ref)
    assert (payment.session_ref, payment.state, payment.amount) == (page.ref, PaymentState.OPEN, PRICE)
    assert (payment.captured, payment.refunded, payment.refund_pending) == (0, 0, 0)
    assert (payment.intent_ref, payment.capture_before, payment.card_fingerprint) == ("", None, "")


def test_a_page_keeps_what_it_was_told(backend: BackEnd, settings: Any) -> None:
    page = backend.client.v1.checkout.sessions.retrieve(open_page(backend).ref, {"expand": ["line_items"]})
    assert page.metadata
    assert page.metadata.to_dict() == {"shop": settings.SHOP_ID, "order": "17"}  # and nothing of the order's public id
    assert (page.client_reference_id, page.customer_email) == ("17", "ada@example.com")
    assert (page.success_url, page.cancel_url) == ("https://shop.example/thanks", "https://shop.example/back")
    assert page.line_items
    [line] = page.line_items.data
    assert (line.description, line.amount_total) == ("QuantaSneaks 1000 π, size 9, 0042 of 0500", PRICE)


def test_a_page_says_what_it_is(backend: BackEnd) -> None:
    page = backend.client.v1.checkout.sessions.retrieve(open_page(backend).ref)
    assert (page.object, page.mode, page.ui_mode, page.livemode) == (
        "checkout.session",
        "payment",
        "hosted_page",
        False,
    )
    assert (page.status, page.payment_status) == ("open", "unpaid")
    assert (page.currency, page.amount_total, page.payment_method_types) == ("usd", PRICE, ["card"])


def test_a_page_may_be_in_another_currency(backend: BackEnd) -> None:
    page = open_page(backend, currency="eur")
    assert backend.client.v1.checkout.sessions.retrieve(page.ref).currency == "eur"


def test_the_same_call_again_is_the_same_page(backend: BackEnd) -> None:
    words: dict[str, Any] = {"key": key(), "expires_at": in_an_hour()}
    assert open_page(backend, **words) == open_page(backend, **words)


def test_another_key_is_another_page(backend: BackEnd) -> None:
    end = in_an_hour()
    assert open_page(backend, expires_at=end).ref != open_page(backend, expires_at=end).ref


def test_the_same_key_with_other_words_is_spent(backend: BackEnd) -> None:
    words: dict[str, Any] = {"key": key(), "expires_at": in_an_hour()}
    open_page(backend, **words)
    with pytest.raises(KeySpent):
        open_page(backend, **words, amount=PART)


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"amount": -1},
        {"currency": "dollars"},
        {"success_url": "shop"},
    ],
    ids=["an end in the past", "less than nothing", "no currency", "no address"],
)
def test_a_page_that_cannot_be_is_refused_for_good(backend: BackEnd, change: dict[str, Any]) -> None:
    with pytest.raises(Permanent):
        open_page(backend, **change)


# --- a page ends ----------------------------------------------------------------------------------


def test_an_open_page_can_be_closed(backend: BackEnd) -> None:
    page = open_page(backend)
    payment = backend.provider.expire_session(page.ref, key=key())
    assert (payment.state, payment.amount, payment.captured) == (PaymentState.EXPIRED, PRICE, 0)
    assert backend.provider.fetch(page.ref) == payment


def test_a_page_that_is_closed_twice_is_closed(backend: BackEnd) -> None:
    page, once = open_page(backend), key()
    for again in (once, once, key()):
        assert backend.provider.expire_session(page.ref, key=again).state == PaymentState.EXPIRED


def test_a_closed_page_has_no_address(backend: BackEnd) -> None:
    page = open_page(backend)
    assert backend.client.v1.checkout.sessions.expire(page.ref).url is None
    assert backend.client.v1.checkout.sessions.retrieve(page.ref).url is None


def test_to_close_a_closed_page_is_an_error_of_the_api(backend: BackEnd) -> None:
    page = open_page(backend)
    backend.provider.expire_session(page.ref, key=key())
    refusal = refusal_of(lambda: backend.client.v1.checkout.sessions.expire(page.ref))
    assert refusal.http_status == 400


def test_a_page_that_never_was_is_a_permanent_error(backend: BackEnd) -> None:
    with pytest.raises(Permanent, match="resource_missing"):
        backend.provider.fetch(UNKNOWN_PAGE)
    with pytest.raises(Permanent, match="resource_missing"):
        backend.provider.expire_session(UNKNOWN_PAGE, key=key())


# --- money is held --------------------------------------------------------------------------------


def test_held_money_is_in_the_ledger(backend: BackEnd) -> None:
    entry = in_ledger(backend, backend.authorised_intent(4711))
    assert (entry.state, entry.order_number, entry.amount) == (PaymentState.AUTHORISED, 4711, PRICE)
    assert (entry.captured, entry.captures, entry.refunded, entry.refunds) == (0, 0, 0, 0)
    assert entry.currency == "usd"
    assert abs(datetime.now(UTC) - entry.created) < timedelta(minutes=5)


def test_held_money_can_be_captured_and_was_not_received(backend: BackEnd) -> None:
    intent = backend.client.v1.payment_intents.retrieve(backend.authorised_intent())
    assert (intent.status, intent.capture_method, intent.livemode) == ("requires_capture", "manual", False)
    assert (intent.amount, intent.amount_capturable, intent.amount_received) == (PRICE, PRICE, 0)


def test_held_money_says_until_when_and_on_which_card(backend: BackEnd) -> None:
    intent = backend.client.v1.payment_intents.retrieve(backend.authorised_intent(), {"expand": ["latest_charge"]})
    charge: Any = intent.latest_charge
    assert (charge.status, charge.paid, charge.captured, charge.refunded) == ("succeeded", True, False, False)
    assert (charge.amount, charge.amount_captured, charge.amount_refunded) == (PRICE, 0, 0)
    card = charge.payment_method_details.card
    assert (card.brand, card.last4) == ("visa", "4242")
    assert 4 * 86400 < card.capture_before - time.time() < 31 * 86400  # seven days, with most cards
    assert card.fingerprint


def test_the_same_card_has_the_same_fingerprint(backend: BackEnd) -> None:
    prints = set()
    for _ in range(2):
        intent: Any = backend.client.v1.payment_intents.retrieve(
            backend.authorised_intent(), {"expand": ["latest_charge"]}
        )
        prints.add(intent.latest_charge.payment_method_details.card.fingerprint)
    assert len(prints) == 1


def test_a_payment_carries_the_orders_number(backend: BackEnd, settings: Any) -> None:
    intent = backend.client.v1.payment_intents.retrieve(backend.authorised_intent(4711))
    assert intent.metadata.to_dict() == {"shop": settings.SHOP_ID, "order": "4711"}


def test_a_declined_card_leaves_the_payment_open(backend: BackEnd) -> None:
    intent = backend.declined_intent()
    assert in_ledger(backend, intent).state == PaymentState.OPEN
    tried = backend.client.v1.payment_intents.retrieve(intent)
    assert (tried.status, tried.amount_capturable) == ("requires_payment_method", 0)
    assert tried.last_payment_error
    assert (tried.last_payment_error.type, tried.last_payment_error.code) == ("card_error", "card_declined")


# --- capture --------------------------------------------------------------------------------------


def test_held_money_is_captured(backend: BackEnd) -> None:
    entry = in_ledger(backend, captured(backend))
    assert (entry.state, entry.captured, entry.captures) == (PaymentState.CAPTURED, PRICE, 1)
    assert (entry.refunded, entry.refunds) == (0, 0)


def test_a_part_of_held_money_is_captured_and_the_rest_is_let_go_without_a_refund(backend: BackEnd) -> None:
    """Since Stripe's API version 2025-03-31; before it, the rest was a refund."""
    intent = captured(backend, PART)
    entry = in_ledger(backend, intent)
    assert (entry.state, entry.amount, entry.captured) == (PaymentState.CAPTURED, PRICE, PART)
    assert (entry.refunded, entry.refunds, refunds_of(backend, intent)) == (0, 0, [])
    taken = backend.client.v1.payment_intents.retrieve(intent)
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", PART, 0)


def test_the_rest_cannot_be_captured_later(backend: BackEnd) -> None:
    intent = captured(backend, PART)
    with pytest.raises(Permanent):
        backend.provider.capture(intent, amount=PRICE - PART, key=key())
    assert in_ledger(backend, intent).captured == PART


def test_a_capture_that_is_repeated_captures_once(backend: BackEnd) -> None:
    intent, once = backend.authorised_intent(), key()
    for again in (once, once, key()):  # a forgotten key too: done before
        backend.provider.capture(intent, amount=PRICE, key=again)
    entry = in_ledger(backend, intent)
    assert (entry.captured, entry.captures) == (PRICE, 1)


def test_a_second_capture_is_an_error_of_the_api_which_shows_the_payment(backend: BackEnd) -> None:
    intent = captured(backend)
    refusal = refusal_of(lambda: backend.client.v1.payment_intents.capture(intent))
    assert (refusal.http_status, refusal.code) == (400, "payment_intent_unexpected_state")
    assert refusal.error
    assert refusal.error.payment_intent
    assert (refusal.error.payment_intent.id, refusal.error.payment_intent.status) == (intent, "succeeded")


def test_more_than_is_held_is_not_captured(backend: BackEnd) -> None:
    intent = backend.authorised_intent()
    with pytest.raises(Permanent, match="amount_too_large"):
        backend.provider.capture(intent, amount=PRICE + 1, key=key())
    entry = in_ledger(backend, intent)
    assert (entry.state, entry.captured) == (PaymentState.AUTHORISED, 0)


def test_after_a_refused_capture_the_right_one_works_with_another_key(backend: BackEnd) -> None:
    intent = backend.authorised_intent()
    with pytest.raises(Permanent):
        backend.provider.capture(intent, amount=PRICE + 1, key=key())
    backend.provider.capture(intent, amount=PRICE, key=key())
    assert in_ledger(backend, intent).captured == PRICE


def test_a_captures_key_with_another_amount_is_spent(backend: BackEnd) -> None:
    intent, once = backend.authorised_intent(), key()
    backend.provider.capture(intent, amount=PART, key=once)
    with pytest.raises(KeySpent):
        backend.provider.capture(intent, amount=PRICE, key=once)
    assert in_ledger(backend, intent).captured == PART


def test_what_was_declined_cannot_be_captured(backend: BackEnd) -> None:
    intent = backend.declined_intent()
    with pytest.raises(Permanent, match="payment_intent_unexpected_state"):
        backend.provider.capture(intent, amount=PRICE, key=key())


def test_an_unknown_payment_cannot_be_captured(backend: BackEnd) -> None:
    with pytest.raises(Permanent, match="resource_missing"):
        backend.provider.capture(UNKNOWN_INTENT, amount=PRICE, key=key())


# --- void -----------------------------------------------------------------------------------------


def test_held_money_is_let_go_without_a_refund(backend: BackEnd) -> None:
    intent = voided(backend)
    entry = in_ledger(backend, intent)
    assert (entry.state, entry.captured, entry.captures) == (PaymentState.VOIDED, 0, 0)
    assert (entry.refunded, entry.refunds, refunds_of(backend, intent)) == (0, 0, [])


def test_a_voided_payment_says_when_and_that_nothing_was_taken(backend: BackEnd) -> None:
    intent = backend.client.v1.payment_intents.retrieve(voided(backend), {"expand": ["latest_charge"]})
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("canceled", 0, 0)
    assert intent.canceled_at
    assert abs(intent.canceled_at - time.time()) < 300
    charge: Any = intent.latest_charge
    assert (charge.captured, charge.refunded, charge.amount_captured, charge.amount_refunded) == (False, False, 0, 0)


def test_a_void_that_is_repeated_is_done(backend: BackEnd) -> None:
    intent, once = backend.authorised_intent(), key()
    for again in (once, once, key()):
        backend.provider.void(intent, key=again)
    assert in_ledger(backend, intent).state == PaymentState.VOIDED


def test_captured_money_cannot_be_voided(backend: BackEnd) -> None:
    intent = captured(backend)
    with pytest.raises(Permanent, match="payment_intent_unexpected_state"):
        backend.provider.void(intent, key=key())
    assert in_ledger(backend, intent).state == PaymentState.CAPTURED


def test_voided_money_cannot_be_captured(backend: BackEnd) -> None:
    intent = voided(backend)
    with pytest.raises(Permanent, match="payment_intent_unexpected_state"):
        backend.provider.capture(intent, amount=PRICE, key=key())
    entry = in_ledger(backend, intent)
    assert (entry.state, entry.captured) == (PaymentState.VOIDED, 0)


def test_a_second_void_is_an_error_of_the_api_which_shows_the_payment(backend: BackEnd) -> None:
    intent = voided(backend)
    refusal = refusal_of(lambda: backend.client.v1.payment_intents.cancel(intent))
    assert (refusal.http_status, refusal.code) == (400, "payment_intent_unexpected_state")
    assert refusal.error
    assert refusal.error.payment_intent
    assert refusal.error.payment_intent.status == "canceled"


def test_an_unknown_payment_cannot_be_voided(backend: BackEnd) -> None:
    with pytest.raises(Permanent, match="resource_missing"):
        backend.provider.void(UNKNOWN_INTENT, key=key())


def test_a_captures_key_is_no_key_for_a_void(backend: BackEnd) -> None:
    intent, other, once = backend.authorised_intent(), backend.authorised_intent(), key()
    backend.provider.capture(intent, amount=PRICE, key=once)
    with pytest.raises(KeySpent):
        backend.provider.void(other, key=once)
    assert in_ledger(backend, other).state == PaymentState.AUTHORISED


# --- refund ---------------------------------------------------------------------------------------


def test_captured_money_is_refunded(backend: BackEnd) -> None:
    entry = in_ledger(backend, refunded(backend))
    assert (entry.state, entry.captured, entry.captures) == (PaymentState.REFUNDED, PRICE, 1)
    assert (entry.refunded, entry.refunds) == (PRICE, 1)


def test_a_part_of_captured_money_is_refunded(backend: BackEnd) -> None:
    entry = in_ledger(backend, refunded(backend, PART))
    assert (entry.state, entry.captured) == (PaymentState.CAPTURED, PRICE)
    assert (entry.refunded, entry.refunds) == (PART, 1)


def test_two_parts_make_a_whole_refund(backend: BackEnd) -> None:
    intent = refunded(backend, PART)
    backend.provider.refund(intent, amount=PRICE - PART, key=key())
    entry = in_ledger(backend, intent)
    assert (entry.state, entry.refunded, entry.refunds) == (PaymentState.REFUNDED, PRICE, 2)


def test_a_refund_that_is_repeated_refunds_once(backend: BackEnd) -> None:
    intent, once = captured(backend), key()
    for again in (once, once, key()):
        backend.provider.refund(intent, amount=PRICE, key=again)
    assert refunds_of(backend, intent) == [PRICE]


def test_a_part_that_is_refunded_twice_with_one_key_is_refunded_once(backend: BackEnd) -> None:
    intent, once = captured(backend), key()
    for _ in range(2):
        backend.provider.refund(intent, amount=PART, key=once)
    assert refunds_of(backend, intent) == [PART]


def test_a_refunds_key_with_another_amount_is_spent(backend: BackEnd) -> None:
    intent, once = captured(backend), key()
    backend.provider.refund(intent, amount=PART, key=once)
    with pytest.raises(KeySpent):
        backend.provider.refund(intent, amount=PRICE - PART, key=once)
    assert refunds_of(backend, intent) == [PART]


def test_more_than_was_captured_is_not_refunded(backend: BackEnd) -> None:
    intent = captured(backend)
    with pytest.raises(Permanent):
        backend.provider.refund(intent, amount=PRICE + 1, key=key())
    assert refunds_of(backend, intent) == []


def test_more_than_is_left_is_not_refunded(backend: BackEnd) -> None:
    intent = refunded(backend, PART)
    with pytest.raises(Permanent):
        backend.provider.refund(intent, amount=PRICE - PART + 1, key=key())
    assert refunds_of(backend, intent) == [PART]


def test_what_was_held_but_not_captured_is_not_refunded(backend: BackEnd) -> None:
    intent = captured(backend, PART)
    with pytest.raises(Permanent):
        backend.provider.refund(intent, amount=PRICE, key=key())
    backend.provider.refund(intent, amount=PART, key=key())
    entry = in_ledger(backend, intent)
    assert (entry.state, entry.captured, entry.refunded) == (PaymentState.REFUNDED, PART, PART)


def test_held_money_is_voided_and_not_refunded(backend: BackEnd) -> None:
    intent = backend.authorised_intent()
    with pytest.raises(Permanent):
        backend.provider.refund(intent, amount=PRICE, key=key())
    assert in_ledger(backend, intent).state == PaymentState.AUTHORISED


def test_a_refund_of_held_money_says_what_to_do_instead(backend: BackEnd) -> None:
    charge = backend.client.v1.payment_intents.retrieve(backend.authorised_intent()).latest_charge
    assert isinstance(charge, str)
    refusal = refusal_of(lambda: backend.client.v1.refunds.create({"charge": charge}))
    assert (refusal.http_status, refusal.code) == (400, None)
    assert "You must cancel the PaymentIntent to reverse the authorization" in str(refusal)


def test_voided_money_cannot_be_refunded(backend: BackEnd) -> None:
    intent = voided(backend)
    with pytest.raises(Permanent):
        backend.provider.refund(intent, amount=PRICE, key=key())
    assert refunds_of(backend, intent) == []


def test_what_was_declined_cannot_be_refunded(backend: BackEnd) -> None:
    intent = backend.declined_intent()
    with pytest.raises(Permanent, match="does not have a successful charge to refund"):
        backend.provider.refund(intent, amount=PRICE, key=key())


def test_an_unknown_payment_cannot_be_refunded(backend: BackEnd) -> None:
    with pytest.raises(Permanent, match="resource_missing"):
        backend.provider.refund(UNKNOWN_INTENT, amount=PRICE, key=key())


def test_a_refund_says_what_it_is(backend: BackEnd) -> None:
    [refund] = backend.client.v1.refunds.list({"payment_intent": (intent := refunded(backend, PART))}).data
    assert (refund.object, refund.status, refund.amount) == ("refund", "succeeded", PART)
    assert (refund.currency, refund.payment_intent, refund.reason) == ("usd", intent, None)
    assert backend.client.v1.refunds.retrieve(refund.id).amount == PART


def test_a_charge_adds_its_refunds_up(backend: BackEnd) -> None:
    intent = refunded(backend, PART)
    some: Any = backend.client.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]}).latest_charge
    assert (some.amount_captured, some.amount_refunded, some.refunded) == (PRICE, PART, False)
    backend.provider.refund(intent, amount=PRICE - PART, key=key())
    both: Any = backend.client.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge.refunds"]}).latest_charge
    assert (both.amount_captured, both.amount_refunded, both.refunded) == (PRICE, PRICE, True)
    assert sorted(refund.amount for refund in both.refunds.data) == [PART, PRICE - PART]


def test_a_refund_of_what_was_refunded_says_so(backend: BackEnd) -> None:
    intent = refunded(backend)
    refusal = refusal_of(lambda: backend.client.v1.refunds.create({"payment_intent": intent}))
    assert (refusal.http_status, refusal.code) == (400, "charge_already_refunded")


def test_a_refund_of_too_much_names_the_amount(backend: BackEnd) -> None:
    intent = captured(backend)
    refusal = refusal_of(lambda: backend.client.v1.refunds.create({"payment_intent": intent, "amount": PRICE + 1}))
    assert (refusal.http_status, refusal.param) == (400, "amount")
