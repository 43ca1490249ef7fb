"""PayLab, driven by the official client as it is installed."""

import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from stripe import InvalidRequestError, StripeClient

from orders import clock
from orders.payments.paylab import books
from tests.paylab import DECLINED, POOR, VISA, at_once, base, client, held, pay, shoes

__all__ = ["base", "client"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


def test_it_works(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(shoes())
    assert (session.object, session.status, session.payment_status) == ("checkout.session", "open", "unpaid")
    assert (session.amount_total, session.currency, session.payment_intent) == (29900, "usd", None)

    assert pay(session).headers["Location"] == "https://shop.example/thanks"

    session = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    intent: Any = session.payment_intent
    assert (session.status, session.payment_status, session.url) == ("complete", "unpaid", None)
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 29900, 0)
    card = intent.latest_charge.payment_method_details.card
    assert card.last4 == "4242"
    assert card.capture_before == pytest.approx(intent.created + 7 * 86400, abs=2)

    captured = client.v1.payment_intents.capture(intent.id)
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 29900, 0)
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"

    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert (refund.object, refund.status, refund.amount) == ("refund", "succeeded", 29900)


def test_a_strangers_session_with_automatic_capture_is_paid_at_once(client: StripeClient) -> None:
    yen: Any = {"currency": "JPY", "unit_amount": 500, "product_data": {"name": "Tea"}}
    session = client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [{"price_data": yen, "quantity": 2}, {"price_data": yen, "quantity": 1}],
            "metadata": {"cart": "17", "note": "ünïcode & [brackets]"},
            "success_url": "http://localhost:3000/done?s={CHECKOUT_SESSION_ID}",
            "locale": "de",
        }
    )
    assert session.amount_total == 1500
    assert session.currency == "jpy"
    assert session.metadata
    assert session.metadata.to_dict() == {"cart": "17", "note": "ünïcode & [brackets]"}
    assert pay(session).headers["Location"] == f"http://localhost:3000/done?s={session.id}"
    session = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent", "line_items"]})
    intent: Any = session.payment_intent
    assert (session.payment_status, intent.status, intent.amount_received) == ("paid", "succeeded", 1500)
    assert session.line_items
    assert [line.quantity for line in session.line_items.data] == [2, 1]


def test_a_payment_intent_is_made_when_somebody_first_tries_to_pay(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(shoes())
    assert client.v1.payment_intents.list().data == []
    pay(session, DECLINED)
    pay(session, POOR)
    [intent] = client.v1.payment_intents.list().data
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error
    assert intent.last_payment_error.decline_code == "insufficient_funds"
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    pay(session, VISA)
    [intent] = client.v1.payment_intents.list().data
    assert (intent.status, intent.last_payment_error) == ("requires_capture", None)


def test_captured_money_cannot_be_cancelled_and_cancelled_money_cannot_be_captured(client: StripeClient) -> None:
    taken, freed = held(client), held(client)
    client.v1.payment_intents.capture(taken)
    with pytest.raises(InvalidRequestError, match="status of succeeded"):
        client.v1.payment_intents.cancel(taken)
    cancelled = client.v1.payment_intents.cancel(freed, {"cancellation_reason": "abandoned"})
    assert (cancelled.status, cancelled.cancellation_reason) == ("canceled", "abandoned")
    assert cancelled.amount_received == cancelled.amount_capturable == 0
    with pytest.raises(InvalidRequestError, match="status of canceled"):
        client.v1.payment_intents.capture(freed)


def test_not_more_is_refunded_than_was_captured(client: StripeClient) -> None:
    intent = held(client)
    with pytest.raises(InvalidRequestError, match="You must cancel the PaymentIntent"):
        client.v1.refunds.create({"payment_intent": intent})
    client.v1.payment_intents.capture(intent)
    client.v1.refunds.create({"payment_intent": intent, "amount": 10000})
    with pytest.raises(InvalidRequestError, match="greater than unrefunded amount"):
        client.v1.refunds.create({"payment_intent": intent, "amount": 19901})
    client.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(InvalidRequestError) as refusal:
        client.v1.refunds.create({"payment_intent": intent})
    assert refusal.value.code == "charge_already_refunded"
    made = client.v1.refunds.list({"payment_intent": intent}).data
    assert [refund.amount for refund in made] == [19900, 10000]
    charge: Any = client.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge.refunds"]}).latest_charge
    assert (charge.amount_captured, charge.amount_refunded, charge.refunded) == (29900, 29900, True)
    assert len(charge.refunds.data) == 2


def test_only_an_open_session_can_be_expired_and_an_expired_one_takes_no_money(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(shoes())
    pay(session, DECLINED)
    assert client.v1.checkout.sessions.expire(session.id).status == "expired"
    assert pay(session).status_code == 410
    [intent] = client.v1.payment_intents.list().data
    assert intent.status == "canceled"
    with pytest.raises(InvalidRequestError, match="can be expired"):
        client.v1.checkout.sessions.expire(session.id)
    paid = client.v1.checkout.sessions.create(shoes())
    pay(paid)
    with pytest.raises(InvalidRequestError, match="can be expired"):
        client.v1.checkout.sessions.expire(paid.id)


def test_the_intent_of_an_open_session_is_ended_by_its_session(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(shoes())
    pay(session, DECLINED)
    [intent] = client.v1.payment_intents.list().data
    with pytest.raises(InvalidRequestError, match="Expire the Checkout Session"):
        client.v1.payment_intents.cancel(intent.id)


def test_a_session_ends_at_its_time_whether_or_not_anybody_looks(
    client: StripeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, other = (client.v1.checkout.sessions.create(shoes()) for _ in range(2))
    monkeypatch.setattr(clock, "offset", timedelta(hours=2))
    assert pay(session).status_code == 410
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert books.end_what_is_due() == 1
    assert client.v1.checkout.sessions.list({"status": "expired"}).data[0].id == other.id
    assert books.end_what_is_due() == 0


def test_held_money_goes_back_after_seven_days(client: StripeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    intent = held(client)
    monkeypatch.setattr(clock, "offset", timedelta(days=7, seconds=1))
    with pytest.raises(InvalidRequestError) as refusal:
        client.v1.payment_intents.capture(intent)
    assert refusal.value.code == "charge_expired_for_capture"
    books.end_what_is_due()
    lapsed = client.v1.payment_intents.retrieve(intent)
    assert (lapsed.status, lapsed.cancellation_reason) == ("canceled", "expired")


def test_a_session_is_paid_or_it_expires_never_both(client: StripeClient) -> None:
    for _ in range(15):
        session = client.v1.checkout.sessions.create(shoes())
        line = threading.Barrier(2)
        seen: dict[str, Any] = {}

        def customer(session: Any = session, line: Any = line, seen: Any = seen) -> None:
            line.wait()
            seen["paid"] = pay(session).status_code == 303

        def shop(session: Any = session, line: Any = line, seen: Any = seen) -> None:
            line.wait()
            try:
                client.v1.checkout.sessions.expire(session.id)
                seen["expired"] = True
            except InvalidRequestError:
                seen["expired"] = False

        at_once(customer, shop)
        assert seen["paid"] != seen["expired"]
        after = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
        intent: Any = after.payment_intent
        assert after.status == ("complete" if seen["paid"] else "expired")
        assert (intent is not None and intent.status == "requires_capture") == seen["paid"]


def test_two_clicks_at_once_pay_once(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(shoes())
    answers: list[int] = []
    at_once(*[lambda: answers.append(pay(session).status_code) for _ in range(4)])
    assert answers == [303] * 4
    assert len(client.v1.payment_intents.list().data) == 1


def test_two_captures_and_a_cancel_at_once_have_one_effect(client: StripeClient) -> None:
    intent = held(client)
    done: list[str] = []

    def attempt(act: Any) -> None:
        with suppress(InvalidRequestError):
            done.append(act(intent).status)

    intents = client.v1.payment_intents
    at_once(*[lambda act=act: attempt(act) for act in (intents.capture, intents.cancel, intents.capture)])
    assert len(done) == 1
    assert intents.retrieve(intent).status == done[0]


def test_the_ledger_pages_newest_first_in_both_directions(client: StripeClient) -> None:
    made = [held(client, amount) for amount in (100, 200, 300, 400, 500)]
    first = client.v1.payment_intents.list({"limit": 2})
    assert [intent.id for intent in first.data] == made[:2:-1]
    assert first.has_more
    assert [intent.id for intent in first.auto_paging_iter()] == made[::-1]
    last = client.v1.payment_intents.list({"limit": 2, "ending_before": made[1]})
    assert [intent.id for intent in last.data] == [made[3], made[2]]
    expanded: Any = client.v1.payment_intents.list({"expand": ["data.latest_charge.refunds"]}).data[0]
    assert expanded.latest_charge.refunds.data == []


def test_the_ledger_costs_the_same_queries_however_long_it_is(
    client: StripeClient, settings: Any, django_assert_num_queries: Any, rf: Any
) -> None:
    from orders.payments.paylab import api

    params = {"expand": {"0": "data.latest_charge.refunds"}, "limit": "100"}
    for _ in range(3):
        client.v1.payment_intents.capture(held(client))
        with django_assert_num_queries(3):
            api.list_intents(dict(params))


def test_events_tell_what_happened_in_its_order(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(shoes())
    pay(session, DECLINED)
    pay(session)
    [intent] = client.v1.payment_intents.list().data
    client.v1.payment_intents.capture(intent.id)
    client.v1.refunds.create({"payment_intent": intent.id})
    client.v1.payment_intents.cancel(held(client))
    client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(shoes()).id)
    events = client.v1.events.list({"limit": 100}).data
    assert [event.type for event in reversed(events)] == [
        "payment_intent.payment_failed",
        "payment_intent.amount_capturable_updated",
        "checkout.session.completed",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
        "payment_intent.amount_capturable_updated",
        "checkout.session.completed",
        "payment_intent.canceled",
        "checkout.session.expired",
    ]
    assert client.v1.events.retrieve(events[0].id).data.object["status"] == "expired"


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"line_items": []}, "line_items", "parameter_missing"),
        ({"success_url": ""}, "success_url", "parameter_missing"),
        ({"success_url": "javascript:alert(1)"}, "success_url", "url_invalid"),
        ({"success_url": "https://shop.example;script-src *"}, "success_url", "url_invalid"),
        ({"cancel_url": "https://user@shop.example/"}, "cancel_url", "url_invalid"),
        ({"mode": "subscription"}, "mode", None),
        ({"mode": None}, "mode", "parameter_missing"),
        ({"expires_at": 1}, "expires_at", None),
        ({"expires_at": "soon"}, "expires_at", "parameter_invalid_integer"),
        ({"metadata": {"k": "v" * 501}}, "metadata", None),
        ({"expand": ["payment_intent.customer"]}, "expand", None),
    ],
)
def test_wrong_parameters_are_refused_by_name(
    client: StripeClient, change: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        client.v1.checkout.sessions.create(shoes() | change)
    assert (refusal.value.param, refusal.value.code) == (param, code)


@pytest.mark.parametrize(
    "body",
    [
        b"mode=payment&mode[x]=1",
        b"a[b]=1&a=2&a[b][c]=3",
        b"line_items[x]=1",
        b"]=1",
        b"metadata[k]=%00",
        b"a" + b"[b]" * 50 + b"=1",
        b'{"mode": "payment"}',
        b"\xff\xfe=\xff",
    ],
)
def test_garbled_bodies_are_bad_requests(base: str, settings: Any, body: bytes) -> None:
    answer = httpx.post(
        f"{base}/paylab/v1/checkout/sessions",
        content=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        auth=(settings.PAYLAB_API_KEY, ""),
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer sk_wrong"}, {"Authorization": "Basic !!!"}, {"Authorization": "Digest x"}],
)
def test_without_the_key_nothing_is_told(base: str, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{base}/paylab/v1/payment_intents", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_an_empty_key_opens_nothing(base: str, settings: Any) -> None:
    settings.PAYLAB_API_KEY = ""
    assert httpx.get(f"{base}/paylab/v1/events", headers={"Authorization": "Bearer"}).status_code == 401
    assert httpx.get(f"{base}/paylab/v1/events", auth=("", "")).status_code == 401


def test_the_ledger_opens_to_http_basic(base: str, settings: Any) -> None:
    answer = httpx.get(f"{base}/paylab/v1/payment_intents?limit=100", auth=(settings.PAYLAB_API_KEY, ""))
    assert answer.json() == {"object": "list", "data": [], "has_more": False, "url": "/v1/payment_intents"}


def test_what_is_not_there_is_said_in_stripes_words(client: StripeClient) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        client.v1.payment_intents.retrieve("pi_nothing")
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
    with pytest.raises(InvalidRequestError, match="Unrecognized request URL") as refusal:
        client.v1.customers.list()
    assert refusal.value.http_status == 404
    with pytest.raises(InvalidRequestError) as refusal:
        client.v1.payment_intents.list({"customer": "cus_1"})
    assert refusal.value.code == "parameter_unknown"


def test_a_card_number_is_never_kept(client: StripeClient) -> None:
    from django.db import connection

    held(client)
    with connection.cursor() as cursor:
        for table in ("session", "intent", "charge", "event", "idempotency_key"):
            cursor.execute(f"SELECT count(*) FROM paylab_{table} t WHERE t::text LIKE %s", [f"%{VISA}%"])
            assert cursor.fetchone() == (0,)


def test_the_same_card_has_the_same_fingerprint(client: StripeClient) -> None:
    for card in (VISA, VISA, POOR):
        pay(client.v1.checkout.sessions.create(shoes()), card)
    intents: Any = client.v1.payment_intents.list({"expand": ["data.latest_charge"]}).data
    poor, second, first = (intent.latest_charge.payment_method_details.card.fingerprint for intent in intents)
    assert first == second != poor
