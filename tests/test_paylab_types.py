"""Everything that PayLab answers has the names, types and words of the official client's own annotations.

The annotations are made from Stripe's specification, so a stranger's shop that was written against Stripe finds here
what it reads there.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import stripe
from stripe import StripeClient, StripeError

from orders import clock
from orders.payments.paylab import books
from orders.payments.paylab.models import IntentStatus, RefundStatus, SessionStatus
from tests.life import strangers
from tests.paylab import DECLINED, VISA, pay, shoes
from tests.stripe_types import misfits_of_answer

__all__ = ["strangers"]  # a fixture
pytestmark = pytest.mark.django_db(transaction=True)

ASKS_BANK, REFUND_FAILS, REFUND_WAITS = "4000002500003155", "4000000000005126", "4000000000007726"
CAPTURE_FAILS, VOID_FAILS = "4000000000100109", "4000000000100208"
WHOLE_INTENT: Any = {"expand": ["latest_charge.refunds", "latest_charge.payment_intent"]}
WHOLE_SESSION: Any = {"expand": ["payment_intent.latest_charge.refunds", "line_items"]}
WHOLE_REFUND: Any = {"expand": ["charge.refunds", "payment_intent.latest_charge"]}

Json = dict[str, Any]


@pytest.fixture
def client(strangers: Any, settings: Any) -> Any:
    http = stripe.RequestsClient()
    base = settings.PAYMENT_API_BASE
    yield StripeClient(settings.PAYLAB_API_KEY, base_addresses={"api": base}, http_client=http)
    http.close()  # type: ignore[no-untyped-call]


def sent(answer: Any) -> Json:
    """What went over the wire, before the client read it."""
    found: Json = answer.last_response.data
    return found


# --- each kind of object in each of its states ----------------------------------------------------


def session(client: StripeClient, card: str = "", **changes: Any) -> str:
    """A page on which somebody may have tried a card."""
    page = client.v1.checkout.sessions.create(shoes(metadata={"order": "17"}, **changes))
    if card:
        pay(page, card)
    return page.id


def intent(client: StripeClient, card: str = VISA) -> str:
    found = client.v1.checkout.sessions.retrieve(session(client, card)).payment_intent
    assert isinstance(found, str)
    return found


def taken(client: StripeClient, card: str = VISA) -> str:
    return client.v1.payment_intents.capture(intent(client, card)).id


def refund(client: StripeClient, card: str = VISA, amount: int = 100) -> str:
    return client.v1.refunds.create({"payment_intent": taken(client, card), "amount": amount}).id


def open_session(client: StripeClient) -> Json:
    return sent(client.v1.checkout.sessions.create(shoes(customer_email="ada@example.com")))


def bare_session(client: StripeClient) -> Json:
    return sent(client.v1.checkout.sessions.create(shoes(cancel_url="", client_reference_id="17")))


def tried_session(client: StripeClient) -> Json:
    return sent(client.v1.checkout.sessions.retrieve(session(client, DECLINED), WHOLE_SESSION))


def complete_session(client: StripeClient) -> Json:
    return sent(client.v1.checkout.sessions.retrieve(session(client, VISA), WHOLE_SESSION))


def paid_session(client: StripeClient) -> Json:
    return sent(client.v1.checkout.sessions.retrieve(session(client, VISA, payment_intent_data={}), WHOLE_SESSION))


def expired_session(client: StripeClient) -> Json:
    return sent(client.v1.checkout.sessions.expire(session(client, DECLINED), WHOLE_SESSION))


def intent_after(card: str) -> Callable[[StripeClient], Json]:
    return lambda client: sent(client.v1.payment_intents.retrieve(intent(client, card), WHOLE_INTENT))


def taken_intent(client: StripeClient) -> Json:
    return sent(client.v1.payment_intents.retrieve(taken(client), WHOLE_INTENT))


def voided_intent(client: StripeClient) -> Json:
    return sent(client.v1.payment_intents.cancel(intent(client), {"cancellation_reason": "abandoned"}))


def lapsed_intent(client: StripeClient) -> Json:
    held = intent(client)
    days_pass()
    return sent(client.v1.payment_intents.retrieve(held, WHOLE_INTENT))


def days_pass() -> None:
    """Eight of them: authorisations lapse and refunds come to their ends. `strangers` puts the clock right."""
    clock.offset += timedelta(days=8)
    books.end_what_is_due()


def charge_of(client: StripeClient, intent_ref: str) -> Json:
    charge = client.v1.payment_intents.retrieve(intent_ref).latest_charge
    assert isinstance(charge, str)
    return sent(client.v1.charges.retrieve(charge, {"expand": ["payment_intent", "refunds"]}))


def held_charge(client: StripeClient) -> Json:
    return charge_of(client, intent(client))


def failed_charge(client: StripeClient) -> Json:
    return charge_of(client, intent(client, DECLINED))


def refunded_charge(client: StripeClient) -> Json:
    made = client.v1.refunds.retrieve(refund(client, amount=29900))
    assert isinstance(made.payment_intent, str)
    return charge_of(client, made.payment_intent)


def refund_after(card: str, *, ended: bool = False) -> Callable[[StripeClient], Json]:
    def made(client: StripeClient) -> Json:
        ref = refund(client, card)
        if ended:
            days_pass()
        return sent(client.v1.refunds.retrieve(ref, WHOLE_REFUND))

    return made


OBJECTS: dict[str, tuple[Callable[[StripeClient], Json], str]] = {
    "checkout.session open": (open_session, "open"),
    "checkout.session open, little said": (bare_session, "open"),
    "checkout.session open, a card declined": (tried_session, "open"),
    "checkout.session complete, money held": (complete_session, "complete"),
    "checkout.session complete, money taken": (paid_session, "complete"),
    "checkout.session expired": (expired_session, "expired"),
    "payment_intent declined": (intent_after(DECLINED), "requires_payment_method"),
    "payment_intent of a card whose bank asks": (intent_after(ASKS_BANK), "requires_action"),
    "payment_intent held": (intent_after(VISA), "requires_capture"),
    "payment_intent taken": (taken_intent, "succeeded"),
    "payment_intent voided": (voided_intent, "canceled"),
    "payment_intent lapsed": (lapsed_intent, "canceled"),
    "charge held": (held_charge, "succeeded"),
    "charge declined": (failed_charge, "failed"),
    "charge refunded": (refunded_charge, "succeeded"),
    "refund succeeded": (refund_after(VISA), "succeeded"),
    "refund on its way": (refund_after(REFUND_WAITS), "pending"),
    "refund that came after all": (refund_after(REFUND_WAITS, ended=True), "succeeded"),
    "refund that failed": (refund_after(REFUND_FAILS, ended=True), "failed"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_is_as_the_client_expects_it(client: StripeClient, name: str) -> None:
    make, status = OBJECTS[name]
    answer = make(client)
    assert (answer["object"], answer["status"]) == (name.split()[0], status)
    assert misfits_of_answer(answer) == []


def test_every_state_that_paylab_knows_is_looked_at() -> None:
    seen = {(name.split()[0], status) for name, (_, status) in OBJECTS.items()}
    for kind, states in (
        ("checkout.session", SessionStatus),
        ("payment_intent", IntentStatus),
        ("refund", RefundStatus),
    ):
        assert {status for name, status in seen if name == kind} == set(states.values)


OFTEN_READ = {
    "checkout.session": """client_secret consent customer customer_creation customer_details invoice locale
        payment_link setup_intent shipping_cost submit_type subscription""",
    "payment_intent": """application automatic_payment_methods client_secret customer last_payment_error next_action
        payment_method processing receipt_email review setup_future_usage shipping statement_descriptor""",
    "charge": """application balance_transaction customer failure_code fraud_details outcome payment_method
        receipt_email receipt_url review shipping statement_descriptor transfer_data""",
    "refund": "balance_transaction destination_details reason receipt_number transfer_reversal",
}


@pytest.mark.parametrize("name", ["checkout.session open", "payment_intent held", "charge held", "refund succeeded"])
def test_what_paylab_knows_nothing_of_is_null_and_not_missing(client: StripeClient, name: str) -> None:
    """The annotations do not tell what may be null from what may be missing, but reading a missing field raises."""
    answer = OBJECTS[name][0](client)
    assert set(OFTEN_READ[name.split()[0]].split()) <= set(answer)


# --- lists and events -----------------------------------------------------------------------------


def source_of(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text()


def everything_happens(client: StripeClient) -> None:
    """Each thing that PayLab tells of."""
    for card in (DECLINED, ASKS_BANK, VISA):
        session(client, card)
    client.v1.payment_intents.cancel(intent(client))
    client.v1.checkout.sessions.expire(session(client))
    for card in (REFUND_WAITS, REFUND_FAILS):
        refund(client, card)
    days_pass()


@pytest.mark.parametrize("kind", ["checkout.session", "payment_intent", "refund", "event"])
def test_a_list_is_as_the_client_expects_it(client: StripeClient, kind: str) -> None:
    v1 = client.v1
    lists: dict[str, Callable[[], Any]] = {
        "checkout.session": lambda: v1.checkout.sessions.list(
            {"expand": ["data.payment_intent.latest_charge.refunds"]}
        ),
        "payment_intent": lambda: v1.payment_intents.list({"expand": ["data.latest_charge.refunds"]}),
        "refund": lambda: v1.refunds.list({"expand": ["data.charge", "data.payment_intent"]}),
        "event": lambda: v1.events.list(),
    }
    assert misfits_of_answer(sent(lists[kind]())) == []
    everything_happens(client)
    answer = sent(lists[kind]())
    assert {entry["object"] for entry in answer["data"]} == {kind}
    assert misfits_of_answer(answer) == []


def test_every_type_of_event_is_as_the_client_expects_it(client: StripeClient) -> None:
    everything_happens(client)
    events = sent(client.v1.events.list({"limit": 100}))["data"]
    types = {event["type"] for event in events}
    written = set(re.findall(r'"((?:charge|checkout.session|payment_intent|refund)\.[a-z_]+)"', source_of(books)))
    assert types == written, "all that PayLab can tell was told"
    for event in events:
        assert misfits_of_answer(sent(client.v1.events.retrieve(event["id"]))) == []


# --- refusals -------------------------------------------------------------------------------------


def taken_twice(client: StripeClient) -> None:
    client.v1.payment_intents.capture(taken(client))


def too_much(client: StripeClient) -> None:
    client.v1.payment_intents.capture(intent(client), {"amount_to_capture": 29901})


def wrong_words(client: StripeClient) -> None:
    client.v1.checkout.sessions.create(shoes(mode="subscription"))


def nothing_there(client: StripeClient) -> None:
    client.v1.payment_intents.retrieve("pi_nothing")


def key_misused(client: StripeClient) -> None:
    for amount in (1, 2):
        client.v1.checkout.sessions.create(shoes(amount), {"idempotency_key": "17:page"})


def bank_refuses(client: StripeClient) -> None:
    client.v1.payment_intents.capture(intent(client, CAPTURE_FAILS))


def broken(client: StripeClient) -> None:
    client.v1.payment_intents.cancel(intent(client, VOID_FAILS))


def wrong_key(client: StripeClient) -> None:
    client.v1.payment_intents.list({}, {"api_key": "sk_test_wrong"})


@pytest.mark.parametrize(
    ("act", "status", "type"),
    [
        (taken_twice, 400, "invalid_request_error"),
        (too_much, 400, "invalid_request_error"),
        (wrong_words, 400, "invalid_request_error"),
        (nothing_there, 404, "invalid_request_error"),
        (wrong_key, 401, "invalid_request_error"),
        (key_misused, 400, "idempotency_error"),
        (bank_refuses, 402, "card_error"),
        (broken, 500, "api_error"),
    ],
)
def test_a_refusal_is_as_the_client_expects_it(
    client: StripeClient, act: Callable[[StripeClient], None], status: int, type: str
) -> None:
    with pytest.raises(StripeError) as refusal:
        act(client)
    answer: Any = refusal.value.json_body
    assert (refusal.value.http_status, answer["error"]["type"]) == (status, type)
    assert set(answer) == {"error"}
    assert misfits_of_answer(answer) == []


# --- what the comparison sees ---------------------------------------------------------------------


WRONG: list[tuple[Json, str]] = [
    ({"colour": "red"}, "payment_intent.colour: PaymentIntent has no such field"),
    ({"amount": "29900"}, "payment_intent.amount: '29900' is no int"),
    ({"amount": True}, "payment_intent.amount: True is no int"),
    ({"amount": None}, "payment_intent.amount: None is no int"),
    ({"livemode": 0}, "payment_intent.livemode: 0 is no bool"),
    ({"status": "held"}, "payment_intent.status: 'held' is not one of Stripe's words"),
    ({"cancellation_reason": "bored"}, "payment_intent.cancellation_reason: 'bored' is not one of Stripe's words"),
    ({"metadata": {"order": 17}}, "payment_intent.metadata.order: 17 is no str"),
    ({"payment_method_types": "card"}, "payment_intent.payment_method_types: 'card' is no list"),
    ({"payment_method_types": ["card", 1]}, "payment_intent.payment_method_types[1]: 1 is no str"),
    ({"next_action": {}}, "payment_intent.next_action.type: PaymentIntent.NextAction always has this field"),
    ({"latest_charge": 7}, "payment_intent.latest_charge: 7 fits none of str, Charge"),
    ({"latest_charge": {"object": "charge", "id": 1}}, "payment_intent.latest_charge.id: 1 is no str"),
]


def test_the_comparison_sees_a_wrong_field(client: StripeClient) -> None:
    answer = intent_after(VISA)(client)
    for change, finding in WRONG:
        assert finding in misfits_of_answer(answer | change)


def test_the_comparison_looks_into_what_was_expanded_and_what_is_missing(client: StripeClient) -> None:
    answer = refunded_charge(client)
    del answer["disputed"]
    answer["refunds"]["data"][0]["amount"] = 1.5
    answer["payment_method_details"]["card"]["exp_year"] = None
    assert sorted(misfits_of_answer(answer)) == [
        "charge.disputed: Charge always has this field",
        "charge.payment_method_details.card.exp_year: None is no int",
        "charge.refunds.data[0].amount: 1.5 is no int",
    ]
