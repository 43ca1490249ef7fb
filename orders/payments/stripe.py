"""Stripe, and everything that speaks like it: the official client, pointed at PAYMENT_API_BASE.

The client costs 0.3 s and 41 MB, so it is imported with the first call and not with this file.
"""

import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings

from orders.errors import KeySpent, Permanent, Transient, Unknown
from orders.payments.provider import (
    BadSignature,
    Declined,
    LedgerEntry,
    PaymentSnapshot,
    PaymentState,
    ProviderEvent,
    Session,
)

if TYPE_CHECKING:
    from stripe import RequestOptions, StripeClient
    from stripe.params import EventListParams, PaymentIntentListParams
    from stripe.params.checkout import SessionCreateParams

TIME_OUT = (4.0, 8.0)  # seconds to connect and to wait for an answer; the engine retries, the client does not
TOLERANCE = 300  # seconds that a webhook's time may be off, either way
PAGE = 100
LISTED: "RequestOptions" = {"max_network_retries": 3}  # a walk of a thousand pages must not end with one failure
ON_ITS_WAY = {"pending", "requires_action"}  # of a refund
NEVER_CAME = {"failed", "canceled"}
# News that an order may be waiting for.
NEWS: list[Any] = [
    "checkout.session.completed",
    "checkout.session.expired",
    "payment_intent.canceled",
    "refund.updated",
    "refund.failed",
]

Json = dict[str, Any]


class StripeProvider:
    """See PaymentProvider."""

    def create_session(
        self,
        *,
        number: int,
        amount: int,
        currency: str,
        description: str,
        email: str,
        expires_at: datetime,
        success_url: str,
        cancel_url: str,
        key: str,
    ) -> Session:
        params: SessionCreateParams = {
            "mode": "payment",
            "allowed_payment_method_types": ["card"],
            "line_items": [
                {
                    "price_data": {
                        "currency": currency,
                        "unit_amount": amount,
                        "product_data": {"name": description},
                    },
                    "quantity": 1,
                }
            ],
            "payment_intent_data": {
                "capture_method": "manual",
                "description": description,
                "metadata": labels(number),
            },
            "metadata": labels(number),
            "client_reference_id": str(number),
            "customer_email": email,
            "expires_at": int(expires_at.timestamp()),
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        with errors():
            session = client().v1.checkout.sessions.create(params, {"idempotency_key": key})
        if not session.url:
            raise Permanent("The provider made a page without an address.")
        return Session(ref=session.id, url=session.url, expires_at=moment(session.expires_at))

    def fetch(self, session_ref: str) -> PaymentSnapshot:
        with errors():
            session = client().v1.checkout.sessions.retrieve(
                session_ref, {"expand": ["payment_intent.latest_charge.refunds"]}
            )
        return snapshot(session.to_dict())

    def expire_session(self, session_ref: str, *, key: str) -> PaymentSnapshot:
        refusal: Permanent | None = None
        try:
            with errors():
                client().v1.checkout.sessions.expire(session_ref, {}, {"idempotency_key": key})
        except Permanent as error:
            refusal = error
        now = self.fetch(session_ref)
        if refusal and now.state == PaymentState.OPEN:
            raise refusal
        return now

    def capture(self, intent_ref: str, *, amount: int, key: str) -> None:
        with done_before(intent_ref, lambda intent: intent["amount_received"] == amount), errors():
            client().v1.payment_intents.capture(intent_ref, {"amount_to_capture": amount}, {"idempotency_key": key})

    def void(self, intent_ref: str, *, key: str) -> None:
        with done_before(intent_ref, lambda intent: intent["status"] == "canceled"), errors():
            client().v1.payment_intents.cancel(intent_ref, {}, {"idempotency_key": key})

    def refund(self, intent_ref: str, *, amount: int, key: str) -> None:
        with done_before(intent_ref, lambda intent: on_its_way_back(intent) >= intent["amount_received"] > 0), errors():
            refund = client().v1.refunds.create(
                {"payment_intent": intent_ref, "amount": amount}, {"idempotency_key": key}
            )
            if replayed(refund):
                refund = client().v1.refunds.retrieve(refund.id)
            if refund.status in NEVER_CAME:
                raise KeySpent(f"The refund {refund.status}.")

    def ledger(self) -> Iterator[LedgerEntry]:
        params: PaymentIntentListParams = {"limit": PAGE, "expand": ["data.latest_charge.refunds"]}
        while True:
            with errors():
                page = client().v1.payment_intents.list(params, LISTED)
            for intent in page.data:
                yield ledger_entry(intent.to_dict())
            if not page.has_more:
                return
            params["starting_after"] = page.data[-1].id

    def events(self, since: datetime) -> Iterator[tuple[ProviderEvent, str]]:
        params: EventListParams = {"limit": PAGE, "types": NEWS, "created": {"gte": int(since.timestamp())}}
        while True:
            with errors():
                page = client().v1.events.list(params, LISTED)
            for event in page.data:
                body = json.dumps(event.to_dict())
                yield provider_event(body.encode()), body
            if not page.has_more:
                return
            params["starting_after"] = page.data[-1].id

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """The official check looks for old time stamps only, so the future is checked here."""
        from stripe import SignatureVerificationError, WebhookSignature

        header = headers.get("Stripe-Signature", "")
        if not header.isascii():  # the constant-time comparison takes nothing else
            raise BadSignature("signature", "The signature is not readable.")
        for secret in settings.PAYMENT_WEBHOOK_SECRETS:
            try:
                WebhookSignature.verify_header(body, header, secret)
                break
            except (SignatureVerificationError, UnicodeDecodeError):
                continue
        else:
            raise BadSignature("signature", "No secret of ours made this signature.")
        signed_at, _ = WebhookSignature._get_timestamp_and_signatures(header, WebhookSignature.EXPECTED_SCHEME)
        if abs(time.time() - signed_at) > TOLERANCE:
            raise BadSignature("time", "The signature is too old or from the future.")
        return provider_event(body)


# --- the client and what its errors mean ----------------------------------------------------------


def client() -> "StripeClient":
    return client_for(settings.PAYMENT_API_KEY, settings.PAYMENT_API_BASE.rstrip("/"))


@functools.cache
def client_for(api_key: str, base: str) -> "StripeClient":
    """One client for the whole process; it keeps one connection per thread."""
    import stripe

    stripe.enable_telemetry = False  # it would write an identifier into the home directory
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": base},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=TIME_OUT),
    )


@contextmanager
def errors() -> Iterator[None]:
    """The client's errors in our words: may we try again, must we ask first, or is it final?"""
    import stripe

    try:
        yield
    except stripe.APIConnectionError as error:
        if never_connected(error):
            raise Transient("The payment provider cannot be reached.") from error
        raise Unknown("The payment provider did not answer.") from error
    except stripe.RateLimitError as error:
        raise Transient("The payment provider asks us to slow down.") from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # Wrong keys are ours to mend; orders must outlive them.
        raise Transient("The payment provider refuses our key.") from error
    except stripe.CardError as error:
        raise Declined(words(error)) from error
    except stripe.InvalidRequestError as error:
        raise (Declined if error.code == "charge_expired_for_capture" else Permanent)(words(error)) from error
    except stripe.IdempotencyError as error:
        if error.http_status == 409:
            raise Unknown("Another call with this key is under way.") from error
        raise KeySpent("The key was used for other words.") from error  # what we say has changed since: a new release
    except stripe.StripeError as error:
        failed = f"The payment provider failed ({error.http_status})."
        raise (KeySpent if (error.http_status or 0) >= 500 else Unknown)(failed) from error


@contextmanager
def done_before(intent_ref: str, done: Callable[[Json], bool]) -> Iterator[None]:
    """A refusal because it is done already is a success: keys are forgotten after a day, intents are not."""
    try:
        yield
    except Permanent:
        with errors():
            intent = client().v1.payment_intents.retrieve(intent_ref, {"expand": ["latest_charge.refunds"]})
        if not done(intent.to_dict()):
            raise


def replayed(answer: Any) -> bool:
    """It is what the provider said the first time to this key, which need not be so any more."""
    response = answer.last_response
    return response is not None and response.headers.get("Idempotent-Replayed") == "true"


def never_connected(error: BaseException) -> bool:
    """The request was not sent, so nothing can have happened."""
    import requests
    import urllib3

    cause = error.__cause__
    if isinstance(cause, requests.ConnectTimeout | requests.exceptions.SSLError):
        return True
    reason = getattr(cause.args[0], "reason", None) if cause and cause.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def words(error: Any) -> str:
    """The provider's reason, without the request's id."""
    return f"{error.code}: {error.user_message}" if error.code else str(error.user_message)


# --- the provider's objects in our words ----------------------------------------------------------


def labels(number: int) -> dict[str, str]:
    """What marks a payment as this shop's: an account may serve several."""
    return {"shop": settings.SHOP_ID, "order": str(number)}


def order_number(metadata: Json | None) -> int | None:
    """The order that a payment is for; None where it is not this shop's."""
    if not metadata or metadata.get("shop") != settings.SHOP_ID or not str(metadata.get("order")).isdecimal():
        return None
    return int(metadata["order"])


def moment(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def snapshot(session: Json) -> PaymentSnapshot:
    intent = session.get("payment_intent") or {}
    charge = intent.get("latest_charge") or {}
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    if session["status"] == "open":
        state = PaymentState.OPEN
    elif session["status"] == "expired":
        state = PaymentState.EXPIRED
    else:
        state = state_of(intent)
    capture_before = card.get("capture_before")
    return PaymentSnapshot(
        session_ref=session["id"],
        intent_ref=intent.get("id") or "",
        state=state,
        amount=intent.get("amount") or session["amount_total"],
        captured=intent.get("amount_received") or 0,
        refunded=sum(refund["amount"] for refund in refunds(intent) if refund["status"] == "succeeded"),
        refund_pending=sum(refund["amount"] for refund in refunds(intent) if refund["status"] in ON_ITS_WAY),
        capture_before=moment(capture_before) if capture_before else None,
        card_fingerprint=card.get("fingerprint") or "",
    )


def ledger_entry(intent: Json) -> LedgerEntry:
    made = [refund for refund in refunds(intent) if refund["status"] not in NEVER_CAME]
    captured = intent.get("amount_received") or 0
    return LedgerEntry(
        intent_ref=intent["id"],
        order_number=order_number(intent.get("metadata")),
        state=state_of(intent),
        amount=intent["amount"],
        currency=intent["currency"],
        captured=captured,
        captures=int(captured > 0),
        refunded=sum(refund["amount"] for refund in made if refund["status"] == "succeeded"),
        refunds=len(made),
        created=moment(intent["created"]),
    )


def state_of(intent: Json) -> PaymentState:
    """Where an intent's money is."""
    match intent.get("status"):
        case "requires_capture":
            return PaymentState.AUTHORISED
        case "canceled":
            return PaymentState.VOIDED
        case "succeeded":
            returned = sum(refund["amount"] for refund in refunds(intent) if refund["status"] == "succeeded")
            return PaymentState.REFUNDED if returned >= intent["amount_received"] else PaymentState.CAPTURED
        case _:
            return PaymentState.OPEN


def refunds(intent: Json) -> list[Json]:
    """All refunds of an intent's charge, where they were asked for along with it."""
    charge = intent.get("latest_charge") or {}
    made: list[Json] = (charge.get("refunds") or {}).get("data") or []
    return made


def on_its_way_back(intent: Json) -> int:
    """What was refunded or is about to be."""
    return sum(refund["amount"] for refund in refunds(intent) if refund["status"] not in NEVER_CAME)


def provider_event(body: bytes) -> ProviderEvent:
    """What an authentic body says. Raises BadSignature where it is no event."""
    try:
        event = json.loads(body)
        thing = event["data"]["object"]
        ref = thing["id"] if thing["object"] in {"checkout.session", "payment_intent"} else thing.get("payment_intent")
        return ProviderEvent(
            id=event["id"],
            type=event["type"],
            ref=ref if isinstance(ref, str) else "",
            order_number=order_number(thing.get("metadata")),
            created=moment(event["created"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSignature("body", "Signed, but not an event.") from error
