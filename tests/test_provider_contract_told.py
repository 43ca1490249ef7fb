"""What is told of money, whoever tells it: ledger, events, keys and refusals of PayLab and of Stripe's test mode.

Stripe's error codes, types and fields: https://docs.stripe.com/api/errors
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from stripe import AuthenticationError, IdempotencyError, StripeError

from orders.errors import Permanent, Transient
from orders.payments import stripe as adapter
from orders.payments.provider import PaymentState, ProviderEvent
from tests.backends import (
    PART,
    PRICE,
    UNKNOWN_INTENT,
    UNKNOWN_PAGE,
    BackEnd,
    backend,
    captured,
    in_ledger,
    key,
    newest,
    open_page,
    refunded,
    refunds_of,
    refusal_of,
    voided,
)
from tests.life import hang_up, strangers

__all__ = ["backend", "strangers"]  # fixtures


# --- the ledger -----------------------------------------------------------------------------------


def test_the_ledger_has_each_payment_once_newest_first_across_its_pages(
    backend: BackEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "PAGE", 2)
    made = {backend.authorised_intent(number) for number in range(1, 6)}
    in_ledger(backend, min(made))
    entries = list(newest(backend))
    refs = [entry.intent_ref for entry in entries]
    assert made <= set(refs)
    assert len(refs) == len(set(refs))
    assert [entry.created for entry in entries] == sorted((entry.created for entry in entries), reverse=True)


@pytest.mark.parametrize(
    "notes",
    [{}, {"order": "17"}, {"shop": "another", "order": "17"}],
    ids=["nobody's", "no shop's", "another shop's"],
)
def test_the_ledger_tells_a_strangers_payment(backend: BackEnd, notes: dict[str, str]) -> None:
    entry = in_ledger(backend, backend.authorised_intent(notes=notes))
    assert (entry.order_number, entry.state, entry.amount) == (None, PaymentState.AUTHORISED, PRICE)


def test_a_page_of_the_ledger_goes_on_after_its_last_entry_and_back_before_its_first(backend: BackEnd) -> None:
    for _ in range(3):
        in_ledger(backend, backend.authorised_intent())
    intents = backend.client.v1.payment_intents
    first = intents.list({"limit": 2})
    assert (len(first.data), first.has_more, first.url) == (2, True, "/v1/payment_intents")
    second = intents.list({"limit": 1, "starting_after": first.data[0].id})
    assert [intent.id for intent in second.data] == [first.data[1].id]
    back = intents.list({"limit": 1, "ending_before": second.data[0].id})
    assert [intent.id for intent in back.data] == [first.data[0].id]


def test_a_page_of_the_ledger_has_a_hundred_entries_at_most(backend: BackEnd) -> None:
    refusal = refusal_of(lambda: backend.client.v1.payment_intents.list({"limit": 101}))
    assert (refusal.http_status, refusal.param) == (400, "limit")


# --- events ---------------------------------------------------------------------------------------


def just_now() -> datetime:
    """A little before: the other side's clock is another."""
    return datetime.now(UTC) - timedelta(minutes=1)


def news_of(backend: BackEnd, ref: str) -> list[ProviderEvent]:
    """What the provider tells of one thing."""
    return backend.soon(lambda: [event for event, _ in backend.provider.events(just_now()) if event.ref == ref])


def test_a_void_is_told(backend: BackEnd) -> None:
    intent = voided(backend, 4711)
    [event] = news_of(backend, intent)
    assert (event.type, event.order_number) == ("payment_intent.canceled", 4711)
    assert abs(datetime.now(UTC) - event.created) < timedelta(minutes=5)


def test_the_end_of_a_page_is_told(backend: BackEnd) -> None:
    page = open_page(backend, 4711)
    backend.provider.expire_session(page.ref, key=key())
    [event] = news_of(backend, page.ref)
    assert (event.type, event.order_number) == ("checkout.session.expired", 4711)


def test_a_refusal_is_not_told(backend: BackEnd) -> None:
    intent = voided(backend)
    with pytest.raises(Permanent):
        backend.provider.capture(intent, amount=PRICE, key=key())
    assert [event.type for event in news_of(backend, intent)] == ["payment_intent.canceled"]


def test_what_is_told_later_is_not_told_now(backend: BackEnd) -> None:
    voided(backend)
    assert list(backend.provider.events(datetime.now(UTC) + timedelta(hours=1))) == []


def test_each_event_is_told_once_across_the_pages(backend: BackEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PAGE", 1)
    made = {voided(backend, number) for number in range(1, 4)}
    for intent in made:
        assert news_of(backend, intent)
    events = [event for event, _ in backend.provider.events(just_now())]
    assert made <= {event.ref for event in events}
    assert len(events) == len({event.id for event in events})


def told(backend: BackEnd, intent: str, *types: Any) -> list[Any]:
    """The events of some types about a payment, its charge or its refunds."""

    def look() -> list[Any]:
        since = int(just_now().timestamp())
        listed = backend.client.v1.events.list({"types": list(types), "created": {"gte": since}, "limit": 100})
        found = [event.to_dict() for event in listed.data]
        about = [event for event in found if intent in (thing(event)["id"], thing(event).get("payment_intent"))]
        return about if {event["type"] for event in about} == set(types) else []

    return backend.soon(look)


def thing(event: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = event["data"]["object"]
    return found


def test_a_capture_is_told_with_the_payment_as_it_was_then(backend: BackEnd) -> None:
    intent = refunded(backend)
    [event] = told(backend, intent, "payment_intent.succeeded")
    assert (event["object"], event["livemode"]) == ("event", False)
    assert (thing(event)["object"], thing(event)["status"]) == ("payment_intent", "succeeded")
    assert (thing(event)["amount_received"], thing(event)["amount_capturable"]) == (PRICE, 0)
    again = backend.client.v1.events.retrieve(event["id"]).to_dict()
    assert (again["id"], again["type"], again["data"]) == (event["id"], event["type"], event["data"])


def test_a_hold_is_told(backend: BackEnd) -> None:
    intent = backend.authorised_intent()
    [event] = told(backend, intent, "payment_intent.amount_capturable_updated")
    assert (thing(event)["status"], thing(event)["amount_capturable"]) == ("requires_capture", PRICE)


def test_a_declined_card_is_told(backend: BackEnd) -> None:
    [event] = told(backend, backend.declined_intent(), "payment_intent.payment_failed")
    assert (thing(event)["status"], thing(event)["last_payment_error"]["code"]) == (
        "requires_payment_method",
        "card_declined",
    )


def test_a_refund_is_told_by_itself_and_by_its_charge(backend: BackEnd) -> None:
    events = told(backend, refunded(backend, PART), "refund.created", "charge.refunded")
    things = {event["type"]: thing(event) for event in events}
    assert things["refund.created"]["amount"] == things["charge.refunded"]["amount_refunded"] == PART
    assert things["charge.refunded"]["refunded"] is False
    assert "refunds" not in things["charge.refunded"]  # since Stripe's API version 2022-11-15


def test_events_are_told_by_type_and_by_a_group_of_types(backend: BackEnd) -> None:
    assert told(backend, voided(backend), "payment_intent.canceled")
    events = backend.client.v1.events
    assert {event.type for event in events.list({"type": "payment_intent.canceled"}).data} == {
        "payment_intent.canceled"
    }
    group = {event.type for event in events.list({"type": "payment_intent.*"}).data}
    assert "payment_intent.canceled" in group
    assert all(type.startswith("payment_intent.") for type in group)


def test_a_type_and_types_do_not_go_together(backend: BackEnd) -> None:
    both: Any = {"type": "charge.refunded", "types": ["charge.refunded"]}
    assert refusal_of(lambda: backend.client.v1.events.list(both)).http_status == 400


def test_events_are_told_by_the_second(backend: BackEnd) -> None:
    [event] = told(backend, voided(backend), "payment_intent.canceled")
    second = event["created"]

    def among(**created: int) -> bool:
        query: Any = {"types": ["payment_intent.canceled"], "created": created, "limit": 100}
        return event["id"] in {found.id for found in backend.client.v1.events.list(query).data}

    assert among(gte=second, lte=second)
    assert among(gt=second - 1, lt=second + 1)
    assert not among(gt=second)
    assert not among(lt=second)


# --- keys -----------------------------------------------------------------------------------------


def test_a_repeated_answer_is_marked_and_the_same(backend: BackEnd) -> None:
    intent, once = captured(backend), key()
    answers = [
        backend.client.v1.refunds.create({"payment_intent": intent, "amount": PART}, {"idempotency_key": once})
        for _ in range(2)
    ]
    first, second = (answer.last_response for answer in answers)
    assert first
    assert second
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert answers[0].to_dict() == answers[1].to_dict()


def test_a_refusal_is_remembered_with_its_key(backend: BackEnd) -> None:
    intent, once = voided(backend), key()
    first, second = (
        refusal_of(lambda: backend.client.v1.payment_intents.capture(intent, {}, {"idempotency_key": once}))
        for _ in range(2)
    )
    assert (first.http_status, first.code, first.user_message) == (second.http_status, second.code, second.user_message)
    assert second.headers
    assert second.headers["Idempotent-Replayed"] == "true"


def test_a_misused_key_is_an_error_of_its_own_type(backend: BackEnd) -> None:
    intent, once = captured(backend), key()
    refunds = backend.client.v1.refunds
    refunds.create({"payment_intent": intent, "amount": 1}, {"idempotency_key": once})
    with pytest.raises(IdempotencyError) as refusal:
        refunds.create({"payment_intent": intent, "amount": 2}, {"idempotency_key": once})
    assert refusal.value.http_status == 400
    assert refusal.value.error
    assert refusal.value.error.type == "idempotency_error"
    assert refunds_of(backend, intent) == [1]


# --- refusals -------------------------------------------------------------------------------------


def test_a_wrong_key_is_ours_to_mend_and_nothing_happened(backend: BackEnd, settings: Any) -> None:
    intent, page, right = backend.authorised_intent(), open_page(backend), settings.PAYMENT_API_KEY
    settings.PAYMENT_API_KEY = "sk_test_wrong"
    provider = backend.provider
    for act in (
        lambda: provider.fetch(page.ref),
        lambda: provider.expire_session(page.ref, key=key()),
        lambda: provider.capture(intent, amount=PRICE, key=key()),
        lambda: provider.void(intent, key=key()),
        lambda: next(iter(provider.ledger())),
    ):
        with pytest.raises(Transient) as refusal:
            act()
        assert type(refusal.value) is Transient
    hang_up()
    settings.PAYMENT_API_KEY = right
    assert in_ledger(backend, intent).state == PaymentState.AUTHORISED
    assert backend.provider.fetch(page.ref).state == PaymentState.OPEN


def test_a_wrong_key_is_401(backend: BackEnd) -> None:
    with pytest.raises(AuthenticationError) as refusal:
        backend.client.v1.payment_intents.list({}, {"api_key": "sk_test_wrong"})
    assert (refusal.value.http_status, envelope(refusal.value)["type"]) == (401, "invalid_request_error")


def envelope(refusal: StripeError) -> dict[str, Any]:
    """The error as it was sent."""
    body: Any = refusal.json_body
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert error["message"]
    return error


@pytest.mark.parametrize(
    ("look", "param", "message"),
    [
        (
            lambda client: client.v1.payment_intents.retrieve(UNKNOWN_INTENT),
            "intent",
            f"No such payment_intent: '{UNKNOWN_INTENT}'",
        ),
        (
            lambda client: client.v1.checkout.sessions.retrieve(UNKNOWN_PAGE),
            "session",
            f"No such checkout.session: {UNKNOWN_PAGE}",
        ),
    ],
    ids=["payment", "page"],
)
def test_what_is_not_there_is_404(backend: BackEnd, look: Callable[..., object], param: str, message: str) -> None:
    refusal = refusal_of(lambda: look(backend.client))
    error = envelope(refusal)
    assert refusal.http_status == 404
    assert (error["type"], error["code"]) == ("invalid_request_error", "resource_missing")
    assert (error["param"], error["message"].replace("'", "")) == (param, message.replace("'", ""))


def test_an_address_that_is_not_there_is_404(backend: BackEnd) -> None:
    refusal = refusal_of(lambda: backend.client.raw_request("get", "/v1/nothing"))
    assert refusal.http_status == 404
    assert envelope(refusal)["type"] == "invalid_request_error"
    assert "Unrecognized request URL" in envelope(refusal)["message"]


def test_a_filter_that_is_not_there_is_refused_by_name(backend: BackEnd) -> None:
    refusal = refusal_of(lambda: backend.client.raw_request("get", "/v1/payment_intents", colour="red"))
    error = envelope(refusal)
    assert (refusal.http_status, error["type"]) == (400, "invalid_request_error")
    assert (error["code"], error["param"]) == ("parameter_unknown", "colour")


def test_what_cannot_be_expanded_is_refused(backend: BackEnd) -> None:
    refusal = refusal_of(lambda: backend.client.v1.payment_intents.list({"expand": ["data.colour"]}))
    assert (refusal.http_status, envelope(refusal)["type"]) == (400, "invalid_request_error")


def test_a_refund_of_nothing_is_refused(backend: BackEnd) -> None:
    refusal = refusal_of(lambda: backend.client.v1.refunds.create({"amount": 1}))
    assert refusal.http_status == 400
    assert "payment_intent or charge" in envelope(refusal)["message"]


def test_each_answer_has_a_number_to_ask_about(backend: BackEnd) -> None:
    answer = backend.client.v1.payment_intents.retrieve(backend.authorised_intent()).last_response
    assert answer
    assert (answer.request_id or "").startswith("req_")
    refusal = refusal_of(lambda: backend.client.v1.payment_intents.retrieve(UNKNOWN_INTENT))
    assert (refusal.request_id or "").startswith("req_")
