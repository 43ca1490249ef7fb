"""A provider that holds and takes money at once, in the worker's own memory."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import AppConfig

from orders.payments.provider import PaymentSnapshot, PaymentState, Session

PRICE = 29900


class InstantProvider:
    """Every page is paid, but for those named so.

    What was captured is remembered by the process that captured it, which is who asks.
    """

    def __init__(self) -> None:
        self.captured: set[str] = set()

    def create_session(self, *, number: int, expires_at: datetime, **words: Any) -> Session:
        return Session(ref=f"cs_{number}", url=f"https://pay.example/{number}", expires_at=expires_at)

    def fetch(self, session_ref: str) -> PaymentSnapshot:
        taken = session_ref in self.captured
        paid = PaymentState.CAPTURED if taken else PaymentState.AUTHORISED
        return PaymentSnapshot(
            session_ref=session_ref,
            intent_ref=session_ref,
            state=PaymentState.EXPIRED if session_ref.startswith("unpaid_") else paid,
            amount=PRICE,
            captured=PRICE if taken else 0,
            refunded=0,
            refund_pending=0,
            capture_before=datetime.now(UTC) + timedelta(days=7),
            card_fingerprint="",
        )

    def expire_session(self, session_ref: str, *, key: str) -> PaymentSnapshot:
        return self.fetch(session_ref)

    def capture(self, intent_ref: str, *, amount: int, key: str) -> None:
        self.captured.add(intent_ref)

    def events(self, since: datetime) -> Iterator[Any]:
        return iter(())


class Instant(AppConfig):
    """Takes the place of the one adapter."""

    name = "tests.bench.workflow"
    label = "instant"

    def ready(self) -> None:
        from orders.payments import stripe

        provider = InstantProvider()
        stripe.StripeProvider = lambda: provider  # type: ignore[assignment, misc, return-value]
