"""What can happen to money: each function is one short transaction that locks, checks, changes and tells.

Locks are taken in one order, session before intent, so that nothing here can wait in a circle. Whoever locks a session
first wins it: it is paid or it expires, never both.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from orders.payments.paylab import clock, faults, objects
from orders.payments.paylab.cards import NOT_CONFIRMED, Card, Decline, whose_bank_asks
from orders.payments.paylab.errors import ApiError, Missing, UnexpectedState
from orders.payments.paylab.models import (
    CaptureMethod,
    Charge,
    ChargeStatus,
    Event,
    FaultKind,
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


def tell(type: str, thing: dict[str, Any], *, session_id: int, now: datetime) -> None:
    """Write an event beside its cause; the courier hears of it when both are committed."""
    Event.objects.create(created=now, type=type, object=thing, session_id=session_id, next_attempt_at=now)
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
    """Try a card on an open session. Its status tells how it went: complete, still open (declined), or expired.

    Still open with an intent that requires action: the card's bank asks its holder first, see `confirm`.
    """
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
        if card.asks_bank:
            intent.status, intent.asked = IntentStatus.REQUIRES_ACTION, card.fingerprint
            intent.save(update_fields=["status", "asked"])
            tell_of_intent("payment_intent.requires_action", intent, now=now)
        elif card.decline:
            decline_card(intent, card, card.decline, now=now)
        else:
            accept_card(session, intent, card, now=now)
    return session


def confirm(ref: str, *, yes: bool) -> Session:
    """The card's holder answered the bank's question. Where none is open, nothing happens."""
    with transaction.atomic():
        session = lock_session(ref)
        now = clock.now()
        if close_if_due(session, now=now) or session.status != SessionStatus.OPEN:
            return session
        intent = Intent.objects.filter(session=session, status=IntentStatus.REQUIRES_ACTION).first()
        if intent is None:
            return session
        card = whose_bank_asks(intent.asked)
        if yes:
            accept_card(session, intent, card, now=now)
        else:
            decline_card(intent, card, NOT_CONFIRMED, now=now)
    return session


def accept_card(session: Session, intent: Intent, card: Card, *, now: datetime) -> None:
    """Hold the money; without a reason to wait, take it. The session is complete."""
    if card.fault:
        faults.add_to_session(session, card.fault)
    manual = intent.capture_method == CaptureMethod.MANUAL
    lapse = faults.play(FaultKind.LAPSES, ref=session.ref) if manual else None
    intent.charges.create(
        created=now,
        status=ChargeStatus.SUCCEEDED,
        amount=intent.amount,
        amount_captured=0 if manual else intent.amount,
        captured=not manual,
        capture_before=now + (lapse.delay if lapse else AUTHORISATION_LASTS) if manual else None,
        brand=card.brand,
        last4=card.last4,
        fingerprint=card.fingerprint,
    )
    intent.status = IntentStatus.REQUIRES_CAPTURE if manual else IntentStatus.SUCCEEDED
    intent.amount_received = 0 if manual else intent.amount
    intent.save(update_fields=["status", "amount_received"])
    session.status = SessionStatus.COMPLETE
    session.save(update_fields=["status"])
    tell_of_intent(
        "payment_intent.amount_capturable_updated" if manual else "payment_intent.succeeded", intent, now=now
    )
    tell("checkout.session.completed", objects.session_json(session, {}), session_id=session.pk, now=now)


def decline_card(intent: Intent, card: Card, decline: Decline, *, now: datetime) -> None:
    """Remember the attempt; the session stays open for another card."""
    intent.charges.create(
        created=now,
        status=ChargeStatus.FAILED,
        amount=intent.amount,
        brand=card.brand,
        last4=card.last4,
        fingerprint=card.fingerprint,
        failure_code=decline.code,
        decline_code=decline.decline_code,
        failure_message=decline.message,
    )
    intent.status = IntentStatus.REQUIRES_PAYMENT_METHOD
    intent.save(update_fields=["status"])
    tell_of_intent("payment_intent.payment_failed", intent, now=now)


def tell_of_intent(type: str, intent: Intent, *, now: datetime) -> None:
    tell(type, objects.intent_json(intent, {}), session_id=intent.session_id, now=now)


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
    tell("checkout.session.expired", objects.session_json(session, {}), session_id=session.pk, now=now)


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
    """Close pages, let go of authorisations and settle refunds whose time has come. Returns how many."""
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
            end(intent, reason="expired", now=now)
    due = Refund.objects.filter(status=RefundStatus.PENDING, settles_at__lte=clock.now())
    refunds = list(due.values_list("pk", flat=True)[:BATCH])
    for made in refunds:
        settle(made)
    return len(sessions) + len(intents) + len(refunds)


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
            raise UnexpectedState(
                "The payment could not be captured because the requested capture amount is greater than the amount you "
                "can capture for this charge.",
                code="amount_too_large",
                payment_intent=objects.intent_json(intent, {}),
            )
        charge.captured, charge.amount_captured = True, taken
        charge.save(update_fields=["captured", "amount_captured"])
        intent.status, intent.amount_received = IntentStatus.SUCCEEDED, taken
        intent.save(update_fields=["status", "amount_received"])
        tell_of_intent("payment_intent.succeeded", intent, now=now)
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
    tell_of_intent("payment_intent.canceled", intent, now=now)


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
        if charge is None or charge.status == ChargeStatus.FAILED:
            raise UnexpectedState(f"This PaymentIntent ({intent.ref}) does not have a successful charge to refund.")
        if not charge.captured:
            raise UnexpectedState(
                f"This uncaptured Charge was created by a PaymentIntent ({intent.ref}). You must cancel the "
                "PaymentIntent to reverse the authorization instead of refunding the Charge directly."
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
        late = faults.play(FaultKind.REFUND_FAILS, FaultKind.REFUND_PENDING, ref=intent_ref)
        made = charge.refunds.create(
            created=now,
            status=RefundStatus.PENDING if late else RefundStatus.SUCCEEDED,
            amount=given,
            reason=reason,
            metadata=metadata,
            settles_at=now + late.delay if late else None,
            settles_as=RefundStatus.FAILED if late and late.kind == FaultKind.REFUND_FAILS else RefundStatus.SUCCEEDED,
        )
        tell("refund.created", objects.refund_json(made, {}), session_id=intent.session_id, now=now)
        tell("charge.refunded", objects.charge_json(charge, {}), session_id=intent.session_id, now=now)
    return made


def settle(refund_id: int) -> None:
    """A pending refund ends. One that failed leaves the money where it was, to be refunded again."""
    intent_ref = Refund.objects.values_list("charge__intent__ref", flat=True).get(pk=refund_id)
    with transaction.atomic():
        intent, now = lock_intent(intent_ref), clock.now()
        made = Refund.objects.select_related("charge__intent").get(pk=refund_id)
        if made.status != RefundStatus.PENDING:
            return  # a courier beside this one was faster
        made.status, made.settles_at = made.settles_as, None
        made.save(update_fields=["status", "settles_at"])
        if made.status == RefundStatus.FAILED:
            made.charge.amount_refunded -= made.amount
            made.charge.save(update_fields=["amount_refunded"])
            tell("refund.failed", objects.refund_json(made, {}), session_id=intent.session_id, now=now)
        tell("refund.updated", objects.refund_json(made, {}), session_id=intent.session_id, now=now)
