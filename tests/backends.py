"""Whom the shop's adapter may speak to: PayLab, always, and Stripe's test mode where the environment has its key."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import httpx
import pytest
from stripe import CardError, InvalidRequestError, StripeClient

from orders.payments import payment_provider
from orders.payments import stripe as adapter
from orders.payments.provider import LedgerEntry, PaymentProvider, Session
from tests.life import DECLINED_CARD, GOOD_CARD
from tests.paylab import shoes

PRICE = 29900
PART = 10_000
UNKNOWN_INTENT, UNKNOWN_PAGE = "pi_3Nothing0000000000000000", "cs_test_a1Nothing0000000000000000"
KEY = os.environ.get("STRIPE_API_KEY", "")
WITHOUT_KEY = pytest.mark.skip(reason="real Stripe: set STRIPE_API_KEY to a key of its test mode, sk_test_...")

T = TypeVar("T")


class Customer(Protocol):
    """Pays, as only somebody outside the shop can. Returns the payment intent."""

    def authorised_intent(self, *, notes: dict[str, str], amount: int) -> str: ...

    def declined_intent(self, *, notes: dict[str, str], amount: int) -> str: ...


class OnThePage:
    """PayLab's: types a card on the hosted page."""

    def authorised_intent(self, *, notes: dict[str, str], amount: int) -> str:
        return self.try_card(GOOD_CARD, notes, amount)

    def declined_intent(self, *, notes: dict[str, str], amount: int) -> str:
        return self.try_card(DECLINED_CARD, notes, amount)

    def try_card(self, card: str, notes: dict[str, str], amount: int) -> str:
        pages = adapter.client().v1.checkout.sessions
        page = pages.create(shoes(amount, payment_intent_data={"capture_method": "manual", "metadata": notes}))
        httpx.post(str(page.url), data={"card": card})
        intent = pages.retrieve(page.id).payment_intent
        assert isinstance(intent, str)
        return intent


class ThroughTheApi:
    """Stripe's: its page wants a browser and a person, so the intent is made and confirmed without one.

    https://docs.stripe.com/testing: what the cards that are named here do.
    """

    def authorised_intent(self, *, notes: dict[str, str], amount: int) -> str:
        return self.confirm("pm_card_visa", notes, amount)

    def declined_intent(self, *, notes: dict[str, str], amount: int) -> str:
        with pytest.raises(CardError) as refusal:
            self.confirm("pm_card_visa_chargeDeclined", notes, amount)
        assert refusal.value.error
        assert refusal.value.error.payment_intent
        return refusal.value.error.payment_intent.id

    def confirm(self, card: str, notes: dict[str, str], amount: int) -> str:
        intent = adapter.client().v1.payment_intents.create(
            {
                "amount": amount,
                "currency": "usd",
                "capture_method": "manual",
                "confirm": True,
                "payment_method": card,
                "allowed_payment_method_types": ["card"],
                "metadata": notes,
            }
        )
        return intent.id


@dataclass(frozen=True)
class BackEnd:
    """One of the two, as the cases see it."""

    customer: Customer
    patience: float  # seconds until what happened stands in every list

    @property
    def provider(self) -> PaymentProvider:
        return payment_provider()

    @property
    def client(self) -> StripeClient:
        """The official client, for what the adapter does not tell."""
        return adapter.client()

    def authorised_intent(self, number: int = 17, *, amount: int = PRICE, notes: dict[str, str] | None = None) -> str:
        return self.customer.authorised_intent(notes=adapter.labels(number) if notes is None else notes, amount=amount)

    def declined_intent(self, number: int = 17) -> str:
        return self.customer.declined_intent(notes=adapter.labels(number), amount=PRICE)

    def soon(self, look: Callable[[], T]) -> T:
        """What is seen once it is there, or at the end of our patience."""
        deadline = time.monotonic() + self.patience
        while not (seen := look()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return seen


@pytest.fixture(params=["paylab", pytest.param("stripe", marks=[] if KEY.startswith("sk_test_") else [WITHOUT_KEY])])
def backend(request: pytest.FixtureRequest, strangers: Any, settings: Any) -> BackEnd:
    if request.param == "paylab":
        return BackEnd(OnThePage(), patience=0)
    settings.PAYMENT_API_KEY, settings.PAYMENT_API_BASE = KEY, "https://api.stripe.com"
    return BackEnd(ThroughTheApi(), patience=30)


# --- what the cases begin with --------------------------------------------------------------------


def key() -> str:
    return f"contract:{uuid.uuid4()}"


def in_an_hour() -> datetime:
    return datetime.fromtimestamp(int(time.time()) + 3600, UTC)


def open_page(backend: BackEnd, number: int = 17, **changes: Any) -> Session:
    words: dict[str, Any] = {
        "number": number,
        "amount": PRICE,
        "currency": "usd",
        "description": "QuantaSneaks 1000 π, size 9, 0042 of 0500",
        "email": "ada@example.com",
        "expires_at": in_an_hour(),
        "success_url": "https://shop.example/thanks",
        "cancel_url": "https://shop.example/back",
        "key": key(),
    }
    return backend.provider.create_session(**words | changes)


def in_ledger(backend: BackEnd, intent: str) -> LedgerEntry:
    """What the provider's books say of one payment. They may be long: other runs wrote in them too."""
    entry = backend.soon(lambda: next((entry for entry in newest(backend) if entry.intent_ref == intent), None))
    assert entry
    return entry


def newest(backend: BackEnd) -> Iterator[LedgerEntry]:
    """The entries of the last hour."""
    since = datetime.now(UTC) - timedelta(hours=1)
    for entry in backend.provider.ledger():
        if entry.created < since:
            return
        yield entry


def captured(backend: BackEnd, amount: int = PRICE) -> str:
    """A payment of PRICE of which so much was taken."""
    intent = backend.authorised_intent()
    backend.provider.capture(intent, amount=amount, key=key())
    return intent


def voided(backend: BackEnd, number: int = 17) -> str:
    intent = backend.authorised_intent(number)
    backend.provider.void(intent, key=key())
    return intent


def refunded(backend: BackEnd, amount: int = PRICE) -> str:
    intent = captured(backend)
    backend.provider.refund(intent, amount=amount, key=key())
    return intent


def refunds_of(backend: BackEnd, intent: str) -> list[int]:
    return [refund.amount for refund in backend.client.v1.refunds.list({"payment_intent": intent}).data]


def refusal_of(act: Callable[[], object]) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as refusal:
        act()
    return refusal.value
