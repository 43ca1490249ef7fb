"""What the shop asks of a payment provider: hold the money at checkout, take it at the decision, or let it go.

The kinds stand beside this file: stripe.py speaks to Stripe and to everything that speaks like it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db.models import TextChoices

from orders.errors import Permanent


class PaymentState(TextChoices):
    """Where the money is, by the provider's word."""

    UNOPENED = "unopened"  # we were about to ask for a page; the answer may have been lost
    OPEN = "open"  # the page takes money
    EXPIRED = "expired"  # the page is closed and nobody paid
    AUTHORISED = "authorised"  # held on the customer's card
    CAPTURED = "captured"
    VOIDED = "voided"  # let go: never reached the statement, or the authorisation lapsed
    REFUNDED = "refunded"  # in full


class Declined(Permanent):
    """The provider says no for good: not capturable, lapsed."""


REFUSAL_REASONS = ("signature", "time", "body", "size")


class BadSignature(Exception):
    """A webhook that the provider did not sign, or not now. `reason` is one of REFUSAL_REASONS."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Session:
    """The hosted page."""

    ref: str
    url: str
    expires_at: datetime


@dataclass(frozen=True)
class PaymentSnapshot:
    """The provider's truth at one moment. Amounts in minor units."""

    session_ref: str
    intent_ref: str  # empty until somebody tried to pay
    state: PaymentState
    amount: int
    captured: int
    refunded: int  # refunds that succeeded
    refund_pending: int  # refunds on their way
    capture_before: datetime | None
    card_fingerprint: str


@dataclass(frozen=True)
class LedgerEntry:
    """One payment intent in the provider's own books."""

    intent_ref: str
    order_number: int | None  # None: not this shop's
    state: PaymentState
    amount: int
    currency: str
    captured: int
    captures: int  # how many times money was taken
    refunded: int
    refunds: int  # how many refunds were made
    created: datetime


@dataclass(frozen=True)
class ProviderEvent:
    """A verified webhook."""

    id: str
    type: str
    ref: str  # the session's or the intent's
    order_number: int | None
    created: datetime


class PaymentProvider(Protocol):
    """Every call has a bounded time. It raises Transient (nothing happened), Unknown (ask `fetch` first), KeySpent (so
    too, and the next try needs another key), Declined or Permanent. `key` makes a repeated call the same call; it is
    `order:action`, per action and not per amount."""

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
    ) -> Session: ...

    def fetch(self, session_ref: str) -> PaymentSnapshot: ...

    def expire_session(self, session_ref: str, *, key: str) -> PaymentSnapshot:
        """Close the page. "Not open any more" is an answer, not an error: the snapshot says what it is instead."""
        ...

    def capture(self, intent_ref: str, *, amount: int, key: str) -> None: ...

    def void(self, intent_ref: str, *, key: str) -> None: ...

    def refund(self, intent_ref: str, *, amount: int, key: str) -> None: ...

    def ledger(self) -> Iterator[LedgerEntry]:
        """All of the provider's books, page by page, newest first."""
        ...

    def events(self, since: datetime) -> Iterator[tuple[ProviderEvent, str]]:
        """What the provider told, or tried to tell, with its body, page by page, newest first."""
        ...

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Raises BadSignature."""
        ...
