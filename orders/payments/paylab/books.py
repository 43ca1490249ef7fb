"""What can happen to money: each function is one short transaction that locks, checks, changes and tells.

Locks are taken in one order, session before intent, so that nothing here can wait in a circle. Whoever locks a session
first wins it: it is paid or it expires, never both.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from orders import clock
from orders.payments.paylab import objects
from orders.payments.paylab.cards import Card
from orders.payments.paylab.errors import ApiError, InvalidParam, Missing, UnexpectedState
from orders.payments.paylab.models import (
    CaptureMethod,
    Charge,
    ChargeStatus,
    Event,
    Intent,
    IntentStatus,
    Refund,
    RefundStatus,
    Session,
    SessionStatus,
)

AUTHORISATION_LASTS = timedelta(days=7)  # what the card networks grant
CHANNEL = "paylab"  # where the courier listens
BATCH = 100


def tell(type: str, thing: dict[str, Any], *, now: datetime) -> None:
    """Write an event beside its cause; the courier hears of it when both are committed."""
    Event.objects.create(created=now, type=type, object=thing, next_attempt_at=now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def lock_session(ref: str) -> Session:
    """Raises Missing."""
    try:
        return Session.objects.select_for_update().get(ref=ref)
    except Session.DoesNotExist:
        raise Missing("checkout.session", ref, param="session") from None


def lock_intent(ref: str) -> Intent:
    """Raises Missing."""
    try:
        return Intent.objects.select_for_update().get(ref=ref)
    except Intent.DoesNotExist:
        raise Missing("payment_intent", ref, param="intent") from None


# --- the hosted page ------------------------------------------------------------------------------


def pay(ref: str, card: Card) -> Session:
    """Try a card on an open session. Its status tells how it went: complete, still open (declined), or expired."""
    with transaction.atomic():
        session = lock_session(ref)
        now = clock.now()
        if close_if_due(session, now=now) or session.status != SessionStatus.OPEN:
            return session
        intent, _ = Intent.objects.get_or_create(
            session=session,
            defaults={
                "created": now,
                "amount": session.amount,
                "currency": session.currency,
                "capture_method": session.capture_method,
                "description": session.intent_description,
                "metadata": session.intent_metadata,
            },
        )
        if card.decline:
            decline_card(intent, card, now=now)
        else:
            accept_card(intent, card, now=now)
            session.status = SessionStatus.COMPLETE
            session.save(update_fields=["status"])
            tell("checkout.session.completed", objects.session_json(session, {}), now=now)
    return session


def accept_card(intent: Intent, card: Card, *, now: datetime) -> None:
    """Hold the money; without a reason to wait, take it."""
    manual = intent.capture_method == CaptureMethod.MANUAL
    intent.charges.create(
        created=now,
        status=ChargeStatus.SUCCEEDED,
        amount=intent.amount,
        amount_captured=0 if manual else intent.amount,
        captured=not manual,
        capture_before=now + AUTHORISATION_LASTS if manual else None,
        brand=card.brand,
        last4=card.last4,
        fingerprint=card.fingerprint,
    )
    intent.status = IntentStatus.REQUIRES_CAPTURE if manual else IntentStatus.SUCCEEDED
    intent.amount_received = 0 if manual else intent.amount
    intent.save(update_fields=["status", "amount_received"])
    what = "payment_intent.amount_capturable_updated" if manual else "payment_intent.succeeded"
    tell(what, objects.intent_json(intent, {}), now=now)


def decline_card(intent: Intent, card: Card, *, now: datetime) -> None:
    """Remember the attempt; the session stays open for another card."""
    assert card.decline
    intent.charges.create(
        created=now,
        status=ChargeStatus.FAILED,
        amount=intent.amount,
        brand=card.brand,
        last4=card.last4,
        fingerprint=card.fingerprint,
        failure_code=card.decline.code,
        decline_code=card.decline.decline_code,
        failure_message=card.decline.message,
    )
    tell("payment_intent.payment_failed", objects.intent_json(intent, {}), now=now)


# --- the ends of a session ------------------------------------------------------------------------


def close_if_due(session: Session, *, now: datetime) -> bool:
    """Expire a locked session whose time is over."""
    if session.status != SessionStatus.OPEN or session.expires_at > now:
        return False
    close(session, now=now)
    return True


def close(session: Session, *, now: datetime) -> None:
    """Expire a locked, open session, and with it the attempts that were made on it."""
    session.status = SessionStatus.EXPIRED
    session.save(update_fields=["status"])
    intent = Intent.objects.select_for_update().filter(session=session).first()
    if intent is not None:
        end(intent, reason="expired", now=now)
    tell("checkout.session.expired", objects.session_json(session, {}), now=now)


def look_up(ref: str) -> Session:
    """A session as it is now: one whose time is over is expired, whether or not anybody noticed. Raises Missing."""
    known = Session.objects.select_related("intent").filter(ref=ref).first()
    if known and (known.status != SessionStatus.OPEN or known.expires_at > clock.now()):
        return known
    with transaction.atomic():
        session = lock_session(ref)
        close_if_due(session, now=clock.now())
    return session


def expire(ref: str) -> Session:
    """Close a page by its owner's wish. Raises UnexpectedState once it is not open."""
    with transaction.atomic():
        session = lock_session(ref)
        now = clock.now()
        overdue = close_if_due(session, now=now)
        if session.status == SessionStatus.OPEN:
            close(session, now=now)
            return session
        if overdue:
            return session
        raise UnexpectedState(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of `{session.status}`."
        )


def end_what_is_due() -> int:
    """Close pages and let go of authorisations whose time is over. Returns how many."""
    with transaction.atomic():
        now = clock.now()
        sessions = Session.objects.select_for_update(skip_locked=True).filter(
            status=SessionStatus.OPEN, expires_at__lte=now
        )[:BATCH]
        for session in sessions:
            close(session, now=now)
    with transaction.atomic():
        intents = Intent.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            status=IntentStatus.REQUIRES_CAPTURE, charges__captured=False, charges__capture_before__lte=now
        )[:BATCH]
        for intent in intents:
            end(intent, reason="automatic", now=now)
    return len(sessions) + len(intents)


# --- held money -----------------------------------------------------------------------------------


def capture(ref: str, amount: int | None) -> Intent:
    """Take held money, all of it or a part; the rest is let go. Raises UnexpectedState."""
    with transaction.atomic():
        intent, now = lock_intent(ref), clock.now()
        if intent.status != IntentStatus.REQUIRES_CAPTURE:
            raise UnexpectedState(
                f"This PaymentIntent could not be captured because it has a status of {intent.status}. "
                "Only a PaymentIntent with one of the following statuses may be captured: requires_capture.",
                code="payment_intent_unexpected_state",
                payment_intent=objects.intent_json(intent, {}),
            )
        charge = intent.latest_charge
        assert charge
        assert charge.capture_before
        if charge.capture_before <= now:
            raise UnexpectedState(
                f"Charge {charge.ref} has expired and can no longer be captured.", code="charge_expired_for_capture"
            )
        taken = intent.amount if amount is None else amount
        if taken > intent.amount:
            raise InvalidParam(
                "The amount to capture is greater than the amount capturable.",
                code="amount_too_large",
                param="amount_to_capture",
            )
        charge.captured, charge.amount_captured = True, taken
        charge.save(update_fields=["captured", "amount_captured"])
        intent.status, intent.amount_received = IntentStatus.SUCCEEDED, taken
        intent.save(update_fields=["status", "amount_received"])
        tell("payment_intent.succeeded", objects.intent_json(intent, {}), now=now)
    return intent


def cancel(ref: str, reason: str) -> Intent:
    """Let held money go: it never reaches the statement. Raises UnexpectedState."""
    with transaction.atomic():
        intent = lock_intent(ref)
        if intent.status in {IntentStatus.SUCCEEDED, IntentStatus.CANCELED}:
            raise UnexpectedState(
                f"You cannot cancel this PaymentIntent because it has a status of {intent.status}. "
                "Only a PaymentIntent with one of the following statuses may be canceled: "
                "requires_payment_method, requires_capture.",
                code="payment_intent_unexpected_state",
                payment_intent=objects.intent_json(intent, {}),
            )
        if intent.session.status == SessionStatus.OPEN:
            raise UnexpectedState(
                "You cannot cancel the PaymentIntent of an open Checkout Session. Expire the Checkout Session instead.",
                code="payment_intent_unexpected_state",
            )
        end(intent, reason=reason, now=clock.now())
    return intent


def end(intent: Intent, *, reason: str, now: datetime) -> None:
    """Cancel a locked intent."""
    intent.status, intent.canceled_at, intent.cancellation_reason = IntentStatus.CANCELED, now, reason
    intent.save(update_fields=["status", "canceled_at", "cancellation_reason"])
    tell("payment_intent.canceled", objects.intent_json(intent, {}), now=now)


def refund(*, intent_ref: str, charge_ref: str, amount: int | None, reason: str, metadata: dict[str, str]) -> Refund:
    """Give captured money back, never more than is left. Raises UnexpectedState."""
    if not intent_ref:
        charge = Charge.objects.select_related("intent").filter(ref=charge_ref).first()
        if charge is None:
            raise Missing("charge", charge_ref, param="charge")
        intent_ref = charge.intent.ref
    with transaction.atomic():
        intent = lock_intent(intent_ref)
        charge = intent.latest_charge
        if charge is None or not charge.captured:
            raise UnexpectedState(
                f"This PaymentIntent ({intent.ref}) does not have a successful charge to refund.",
                code="charge_not_refundable",
            )
        left = charge.amount_captured - charge.amount_refunded
        if left == 0:
            raise UnexpectedState(f"Charge {charge.ref} has already been refunded.", code="charge_already_refunded")
        given = left if amount is None else amount
        if given > left:
            raise ApiError(
                f"Refund amount ({given}) is greater than unrefunded amount on charge ({left})", param="amount"
            )
        now = clock.now()
        charge.amount_refunded += given
        charge.save(update_fields=["amount_refunded"])
        made = charge.refunds.create(
            created=now, status=RefundStatus.SUCCEEDED, amount=given, reason=reason, metadata=metadata
        )
        tell("charge.refunded", objects.charge_json(charge, {"refunds": {}}), now=now)
        tell("refund.updated", objects.refund_json(made, {}), now=now)
    return made
