"""The books in Stripe's words: field names, types and what may be expanded."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from orders.payments.paylab.errors import InvalidParam
from orders.payments.paylab.models import (
    Charge,
    ChargeStatus,
    Event,
    Intent,
    IntentStatus,
    Refund,
    Session,
    SessionStatus,
)

API_VERSION = "2026-10-28.endive"

Json = dict[str, Any]
Expand = dict[str, Any]

# What may be expanded in what; the value is the kind of thing that is then there.
EXPANDABLE: dict[str, dict[str, str]] = {
    "session": {"payment_intent": "intent", "line_items": "lines"},
    "intent": {"latest_charge": "charge"},
    "charge": {"payment_intent": "intent", "refunds": "refund"},
    "refund": {"charge": "charge", "payment_intent": "intent"},
    "event": {},
    "lines": {},
}


def expand_tree(kind: str, paths: Iterable[list[str]], *, listed: bool = False) -> Expand:
    """What to expand, as a tree. Raises InvalidParam for what cannot be."""
    tree: Expand = {}
    for path in paths:
        steps = path[1:] if listed and path[0] == "data" else path
        node, place = tree, kind
        for step in steps:
            if step == "data":  # the entries of an expanded list
                continue
            if step not in EXPANDABLE[place]:
                raise InvalidParam(f"This property cannot be expanded ({'.'.join(path)}).", param="expand")
            node, place = node.setdefault(step, {}), EXPANDABLE[place][step]
    return tree


def timestamp(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def page_url(session: Session) -> str:
    """Where the customer pays."""
    return str(settings.PUBLIC_URL) + reverse("paylab:pay", args=[session.ref])


def session_json(session: Session, expand: Expand) -> Json:
    intent = getattr(session, "intent", None)
    paid = intent is not None and intent.status == IntentStatus.SUCCEEDED
    answer = {
        "id": session.ref,
        "object": "checkout.session",
        "amount_subtotal": session.amount,
        "amount_total": session.amount,
        "cancel_url": session.cancel_url or None,
        "client_reference_id": session.client_reference_id or None,
        "created": timestamp(session.created),
        "currency": session.currency,
        "customer": None,
        "customer_details": {"email": session.customer_email} if session.customer_email else None,
        "customer_email": session.customer_email or None,
        "expires_at": timestamp(session.expires_at),
        "livemode": False,
        "metadata": session.metadata,
        "mode": "payment",
        "payment_intent": reference(intent, intent_json, expand.get("payment_intent")),
        "payment_method_types": ["card"],
        # Held money is not paid money: a manual capture leaves this at unpaid until it is taken.
        "payment_status": "paid" if paid else "unpaid",
        "status": session.status,
        "success_url": session.success_url,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": page_url(session) if session.status == SessionStatus.OPEN else None,
    }
    if "line_items" in expand:
        answer["line_items"] = list_json(session.line_items, f"/v1/checkout/sessions/{session.ref}/line_items")
    return answer


def intent_json(intent: Intent, expand: Expand) -> Json:
    charge = intent.latest_charge
    failed = charge is not None and charge.status == ChargeStatus.FAILED
    return {
        "id": intent.ref,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.amount if intent.status == IntentStatus.REQUIRES_CAPTURE else 0,
        "amount_received": intent.amount_received,
        "canceled_at": timestamp(intent.canceled_at),
        "cancellation_reason": intent.cancellation_reason or None,
        "capture_method": intent.capture_method,
        "client_secret": None,
        "confirmation_method": "automatic",
        "created": timestamp(intent.created),
        "currency": intent.currency,
        "customer": None,
        "description": intent.description or None,
        "last_payment_error": payment_error(charge) if failed and charge else None,
        "latest_charge": reference(charge, charge_json, expand.get("latest_charge")),
        "livemode": False,
        "metadata": intent.metadata,
        "payment_method_types": ["card"],
        "status": intent.status,
    }


def payment_error(charge: Charge) -> Json:
    return {
        "type": "card_error",
        "charge": charge.ref,
        "code": charge.failure_code,
        "decline_code": charge.decline_code,
        "message": charge.failure_message,
    }


def charge_json(charge: Charge, expand: Expand) -> Json:
    failed = charge.status == ChargeStatus.FAILED
    answer = {
        "id": charge.ref,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.amount_captured,
        "amount_refunded": charge.amount_refunded,
        "captured": charge.captured,
        "created": timestamp(charge.created),
        "currency": charge.intent.currency,
        "description": charge.intent.description or None,
        "failure_code": charge.failure_code or None,
        "failure_message": charge.failure_message or None,
        "livemode": False,
        "metadata": charge.intent.metadata,
        "outcome": {
            "network_status": "declined_by_network" if failed else "approved_by_network",
            "reason": charge.decline_code or None,
            "type": "issuer_declined" if failed else "authorized",
        },
        "paid": not failed,
        "payment_intent": reference(charge.intent, intent_json, expand.get("payment_intent")),
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": charge.brand,
                "capture_before": timestamp(charge.capture_before),
                "fingerprint": charge.fingerprint,
                "last4": charge.last4,
            },
        },
        "refunded": 0 < charge.amount_captured == charge.amount_refunded,
        "status": charge.status,
    }
    if "refunds" in expand:
        refunds = sorted(charge.refunds.all(), key=lambda refund: -refund.pk)
        answer["refunds"] = list_json(
            [refund_json(refund, expand["refunds"]) for refund in refunds], f"/v1/charges/{charge.ref}/refunds"
        )
    return answer


def refund_json(refund: Refund, expand: Expand) -> Json:
    intent = refund.charge.intent
    return {
        "id": refund.ref,
        "object": "refund",
        "amount": refund.amount,
        "charge": reference(refund.charge, charge_json, expand.get("charge")),
        "created": timestamp(refund.created),
        "currency": intent.currency,
        "metadata": refund.metadata,
        "payment_intent": reference(intent, intent_json, expand.get("payment_intent")),
        "reason": refund.reason or None,
        "status": refund.status,
    }


def event_json(event: Event, expand: Expand | None = None) -> Json:
    """As it is listed and as it is delivered."""
    return {
        "id": event.ref,
        "object": "event",
        "api_version": API_VERSION,
        "created": timestamp(event.created),
        "data": {"object": event.object},
        "livemode": False,
        "pending_webhooks": int(event.next_attempt_at is not None),
        "request": {"id": None, "idempotency_key": None},
        "type": event.type,
    }


def reference(thing: Any, render: Any, expand: Expand | None) -> Any:
    """The thing's id, or the thing itself where it was asked for."""
    if thing is None or expand is None:
        return thing and thing.ref
    return render(thing, expand)


def list_json(data: Sequence[Json], url: str, *, has_more: bool = False) -> Json:
    return {"object": "list", "data": list(data), "has_more": has_more, "url": url}
