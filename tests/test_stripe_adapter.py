"""The adapter, against PayLab over real HTTP, and against a wire that loses answers.

What holds for Stripe's test mode too is in test_provider_contract.py.
"""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from stripe import StripeClient, WebhookSignature

from orders import clock
from orders.errors import KeySpent, Permanent, Transient, Unknown
from orders.payments import payment_provider
from orders.payments import stripe as adapter
from orders.payments.provider import BadSignature, Declined, PaymentProvider, PaymentState, Session
from tests.paylab import DECLINED, VISA, base, client, held, shoes

__all__ = ["base", "client"]  # fixtures


@pytest.fixture
def provider(base: str) -> PaymentProvider:
    return payment_provider()


def open_page(provider: PaymentProvider, number: int = 17, **changes: Any) -> Session:
    words: dict[str, Any] = {
        "number": number,
        "amount": 29900,
        "currency": "usd",
        "description": "QuantaSneaks 1000 π, size 9, 0042 of 0500",
        "email": "ada@example.com",
        "expires_at": datetime.fromtimestamp(int(time.time()) + 3600, UTC),
        "success_url": "https://shop.example/thanks",
        "cancel_url": "https://shop.example/back",
        "key": f"{number}:page",
    }
    return provider.create_session(**words | changes)


def pay(session: Session, card: str = VISA) -> int:
    return httpx.post(session.url, data={"card": card}).status_code


# --- a payment's life -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_money_is_held_then_taken_then_given_back(provider: PaymentProvider) -> None:
    session = open_page(provider)
    fresh = provider.fetch(session.ref)
    assert (fresh.state, fresh.amount, fresh.intent_ref) == (PaymentState.OPEN, 29900, "")

    pay(session, DECLINED)
    assert provider.fetch(session.ref).state == PaymentState.OPEN

    pay(session)
    payment = provider.fetch(session.ref)
    assert (payment.state, payment.amount, payment.captured) == (PaymentState.AUTHORISED, 29900, 0)
    assert payment.capture_before
    assert timedelta(days=6) < payment.capture_before - datetime.now(UTC) < timedelta(days=8)
    assert payment.card_fingerprint

    provider.capture(payment.intent_ref, amount=29900, key="17:capture")
    payment = provider.fetch(session.ref)
    assert (payment.state, payment.captured, payment.refunded) == (PaymentState.CAPTURED, 29900, 0)

    provider.refund(payment.intent_ref, amount=29900, key="17:refund")
    payment = provider.fetch(session.ref)
    assert (payment.state, payment.captured, payment.refunded) == (PaymentState.REFUNDED, 29900, 29900)


@pytest.mark.django_db(transaction=True)
def test_held_money_can_be_let_go(provider: PaymentProvider) -> None:
    session = open_page(provider)
    pay(session)
    provider.void(provider.fetch(session.ref).intent_ref, key="17:void")
    payment = provider.fetch(session.ref)
    assert (payment.state, payment.captured) == (PaymentState.VOIDED, 0)


@pytest.mark.django_db(transaction=True)
def test_closing_a_page_that_was_paid_says_so(provider: PaymentProvider) -> None:
    page = open_page(provider)
    pay(page)
    assert provider.expire_session(page.ref, key="17:expire").state == PaymentState.AUTHORISED


@pytest.mark.django_db(transaction=True)
def test_money_that_went_back_by_itself_cannot_be_taken(
    provider: PaymentProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(provider)
    pay(page)
    intent = provider.fetch(page.ref).intent_ref
    monkeypatch.setattr(clock, "offset", timedelta(days=8))
    with pytest.raises(Declined):
        provider.capture(intent, amount=29900, key="17:capture")


@pytest.mark.django_db(transaction=True)
def test_the_ledger_tells_this_shops_payments_from_a_strangers(
    provider: PaymentProvider, client: StripeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "PAGE", 2)
    held(client, 500)
    for number in (1, 2, 3, 4):
        session = open_page(provider, number)
        pay(session)
        intent = provider.fetch(session.ref).intent_ref
        if number in (2, 3):
            provider.capture(intent, amount=29900, key=f"{number}:capture")
        if number == 3:
            provider.refund(intent, amount=29900, key=f"{number}:refund")
        if number == 4:
            provider.void(intent, key=f"{number}:void")
    strange = shoes(payment_intent_data={"metadata": {"order": "1", "shop": "another"}})
    httpx.post(client.v1.checkout.sessions.create(strange).url or "", data={"card": VISA})
    ledger = [
        (entry.order_number, entry.state, entry.captured, entry.captures, entry.refunded, entry.refunds)
        for entry in provider.ledger()
    ]
    assert ledger == [
        (None, "captured", 29900, 1, 0, 0),
        (4, "voided", 0, 0, 0, 0),
        (3, "refunded", 29900, 1, 29900, 1),
        (2, "captured", 29900, 1, 0, 0),
        (1, "authorised", 0, 0, 0, 0),
        (None, "authorised", 0, 0, 0, 0),
    ]


# --- a wire that is not perfect -------------------------------------------------------------------


class Wire:
    """Stands between the shop and PayLab, and does to the next answers what it is told."""

    def __init__(self, target: str) -> None:
        self.plan: list[str] = []
        wire = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                what = wire.plan.pop(0) if wire.plan else "pass"
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = 200, b""
                if what in ("pass", "lose the answer"):
                    headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                    passed = httpx.request(self.command, target + self.path, headers=headers, content=body)
                    status, answer = passed.status_code, passed.content
                elif what.isdecimal():
                    status, answer = int(what), json.dumps({"error": {"message": "no", "type": "api_error"}}).encode()
                elif what == "garble":
                    answer = b"<html>"
                elif what == "hang":
                    wire.released.wait(30)
                if what in ("lose the answer", "hang up", "hang"):
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET

            def log_message(self, *args: Any) -> None:
                """Silent."""

        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def wire(base: str, settings: Any) -> Iterator[Wire]:
    wire = Wire(base)
    settings.PAYMENT_API_BASE = f"{wire.url}/paylab"
    thread = threading.Thread(target=wire.server.serve_forever)
    thread.start()
    yield wire
    wire.released.set()
    wire.server.shutdown()
    wire.server.server_close()
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_a_lost_answer_is_unknown_and_the_same_call_finds_what_was_done(
    provider: PaymentProvider, wire: Wire, client: StripeClient
) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    wire.plan = ["lose the answer"]
    with pytest.raises(Unknown):
        open_page(provider, expires_at=until)
    session = open_page(provider, expires_at=until)
    assert [page.id for page in client.v1.checkout.sessions.list().data] == [session.ref]
    pay(session)
    intent = provider.fetch(session.ref).intent_ref
    wire.plan = ["lose the answer"]
    with pytest.raises(Unknown):
        provider.capture(intent, amount=29900, key="17:capture")
    assert provider.fetch(session.ref).state == PaymentState.CAPTURED
    provider.capture(intent, amount=29900, key="17:capture")
    for _ in range(2):
        wire.plan = ["lose the answer"]
        with pytest.raises(Unknown):
            provider.refund(intent, amount=29900, key="17:refund")
    assert [entry.refunds for entry in provider.ledger()] == [1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("hang up", Unknown),
        ("hang", Unknown),
        ("garble", Unknown),
        ("500", KeySpent),
        ("503", KeySpent),
        ("409", Unknown),
        ("429", Transient),
        ("401", Transient),
        ("403", Transient),
        ("402", Declined),
        ("400", Permanent),
        ("404", Permanent),
    ],
)
def test_each_failure_says_what_to_do_about_it(
    provider: PaymentProvider, wire: Wire, what: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "TIME_OUT", (5.0, 0.5))
    wire.plan = [what]
    with pytest.raises(error) as failure:
        open_page(provider)
    assert type(failure.value) is error
    assert wire.plan == []


def test_a_provider_that_nobody_reaches_is_transient(settings: Any) -> None:
    settings.PAYMENT_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(Transient) as failure:
        payment_provider().fetch("cs_test_1")
    assert type(failure.value) is Transient


# --- signatures -----------------------------------------------------------------------------------

EVENT = json.dumps(
    {
        "id": "evt_1",
        "object": "event",
        "type": "checkout.session.completed",
        "created": 1_800_000_000,
        "data": {"object": {"id": "cs_test_1", "object": "checkout.session", "metadata": {}}},
    }
)


def signed(body: str = EVENT, secret: str = "whsec_one", age: int = 0) -> dict[str, str]:
    header = WebhookSignature.generate_signature_header(body, secret, int(time.time()) - age)
    return {"Stripe-Signature": header}


@pytest.fixture
def secrets(settings: Any) -> None:
    settings.PAYMENT_WEBHOOK_SECRETS = ["whsec_one", "whsec_two"]


@pytest.mark.usefixtures("secrets")
def test_a_signed_event_is_read(settings: Any) -> None:
    for secret in ("whsec_one", "whsec_two"):
        event = payment_provider().parse_webhook(EVENT.encode(), signed(secret=secret))
        assert (event.id, event.type, event.ref) == ("evt_1", "checkout.session.completed", "cs_test_1")
        assert (event.order_number, event.created) == (None, datetime.fromtimestamp(1_800_000_000, UTC))
    ours = EVENT.replace('"metadata": {}', json.dumps({"metadata": {"shop": settings.SHOP_ID, "order": "17"}})[1:-1])
    assert payment_provider().parse_webhook(ours.encode(), signed(ours)).order_number == 17


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("age", [-290, 0, 290])
def test_a_clock_may_be_off_by_five_minutes(age: int) -> None:
    assert payment_provider().parse_webhook(EVENT.encode(), signed(age=age)).id == "evt_1"


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    "headers",
    [
        signed(secret="whsec_other"),
        signed(secret=""),
        signed(EVENT + " "),
        signed(age=301),
        signed(age=-3600),
        signed(age=-27 * 3600),
        signed(age=10**12),
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "t=,v1="},
        {"Stripe-Signature": "t=1"},
        {"Stripe-Signature": "v1=00"},
        {"Stripe-Signature": "nonsense"},
        {"Stripe-Signature": f"t={int(time.time())},v1=ä"},
        {"Stripe-Signature": f"t={int(time.time())},v0=00"},
        {"Stripe-Signature": "t=" + "9" * 5000 + ",v1=00"},
    ],
)
def test_a_wrong_signature_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        payment_provider().parse_webhook(EVENT.encode(), headers)


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("body", ["", "[]", "null", "{}", '{"id": "evt_1"}', EVENT.replace("1800000000", '"soon"')])
def test_a_signed_body_that_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(BadSignature):
        payment_provider().parse_webhook(body.encode(), signed(body))


@pytest.mark.usefixtures("secrets")
def test_a_body_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadSignature):
        payment_provider().parse_webhook(b"\xff\xfe", signed())


def test_without_a_secret_nothing_is_authentic(settings: Any) -> None:
    for secrets in ([], [""]):
        settings.PAYMENT_WEBHOOK_SECRETS = secrets
        with pytest.raises(BadSignature):
            payment_provider().parse_webhook(EVENT.encode(), signed(secret=""))
