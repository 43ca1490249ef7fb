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
    RefundStatus,
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

# What Stripe always sends and PayLab knows nothing of: to a reader, a field that is missing is an error, an empty one
# is not.
NOT_OF_SESSIONS: Json = {
    "after_expiration": None,
    "allow_promotion_codes": None,
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "billing_address_collection": None,
    "client_secret": None,
    "consent": None,
    "consent_collection": None,
    "currency_conversion": None,
    "custom_fields": [],
    "custom_text": {
        "after_submit": None,
        "shipping_address": None,
        "submit": None,
        "terms_of_service_acceptance": None,
    },
    "customer": None,
    "customer_creation": "if_required",
    "invoice": None,
    "locale": None,
    "payment_link": None,
    "payment_method_collection": "if_required",
    "phone_number_collection": {"enabled": False},
    "recovered_from": None,
    "setup_intent": None,
    "shipping_address_collection": None,
    "shipping_cost": None,
    "shipping_options": [],
    "submit_type": None,
    "subscription": None,
}
NOT_OF_INTENTS: Json = {
    "application": None,
    "application_fee_amount": None,
    "automatic_payment_methods": None,
    "customer": None,
    "on_behalf_of": None,
    "payment_method": None,
    "processing": None,
    "receipt_email": None,
    "review": None,
    "setup_future_usage": None,
    "shipping": None,
    "source": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "transfer_data": None,
    "transfer_group": None,
}
NOT_OF_CHARGES: Json = {
    "application": None,
    "application_fee": None,
    "application_fee_amount": None,
    "balance_transaction": None,
    "calculated_statement_descriptor": None,
    "customer": None,
    "failure_balance_transaction": None,
    "fraud_details": {},
    "on_behalf_of": None,
    "payment_method": None,
    "receipt_email": None,
    "receipt_number": None,
    "receipt_url": None,
    "review": None,
    "shipping": None,
    "source_transfer": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "transfer_data": None,
    "transfer_group": None,
}
NOT_OF_REFUNDS: Json = {
    "balance_transaction": None,
    "receipt_number": None,
    "source_transfer_reversal": None,
    "transfer_reversal": None,
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
        "customer_details": customer_details(session.customer_email) if session.customer_email else None,
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
        **NOT_OF_SESSIONS,
    }
    if "line_items" in expand:
        lines = [line_json(session, line, number) for number, line in enumerate(session.line_items, start=1)]
        answer["line_items"] = list_json(lines, f"/v1/checkout/sessions/{session.ref}/line_items")
    return answer


def customer_details(email: str) -> Json:
    """The page asks for a card and nothing else."""
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def line_json(session: Session, line: Json, number: int) -> Json:
    return {
        "id": f"li_{session.ref.removeprefix('cs_test_')[:22]}{number}",
        "amount_discount": 0,
        "amount_tax": 0,
        "metadata": {},
        "price": None,  # prices are not part of the subset
        **line,
    }


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
        "description": intent.description or None,
        "last_payment_error": payment_error(charge) if failed and charge else None,
        "latest_charge": reference(charge, charge_json, expand.get("latest_charge")),
        "livemode": False,
        "metadata": intent.metadata,
        "next_action": bank_question(intent) if intent.status == IntentStatus.REQUIRES_ACTION else None,
        "payment_method_types": ["card"],
        "status": intent.status,
        **NOT_OF_INTENTS,
    }


def bank_question(intent: Intent) -> Json:
    """Where the card's holder answers it: on the page."""
    session = intent.session
    return {
        "type": "redirect_to_url",
        "redirect_to_url": {"return_url": session.success_url, "url": page_url(session)},
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
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "captured": charge.captured,
        "created": timestamp(charge.created),
        "currency": charge.intent.currency,
        "description": charge.intent.description or None,
        "disputed": False,
        "failure_code": charge.failure_code or None,
        "failure_message": charge.failure_message or None,
        "livemode": False,
        "metadata": charge.intent.metadata,
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "declined_by_network" if failed else "approved_by_network",
            "reason": charge.decline_code or None,
            "risk_level": "normal",
            "seller_message": charge.failure_message if failed else "Payment complete.",
            "type": "issuer_declined" if failed else "authorized",
        },
        "paid": not failed,
        "payment_intent": reference(charge.intent, intent_json, expand.get("payment_intent")),
        "payment_method_details": {
            "type": "card",
            "card": {
                "amount_authorized": 0 if failed else charge.amount,
                "brand": charge.brand,
                "capture_before": timestamp(charge.capture_before),
                "country": "US",
                # Nobody is asked for the date on a test card: it is always good for another year.
                "exp_month": 12,
                "exp_year": charge.created.year + 1,
                "fingerprint": charge.fingerprint,
                "funding": "credit",
                "last4": charge.last4,
                "network": charge.brand,
                "three_d_secure": None,
                "wallet": None,
            },
        },
        "refunded": 0 < charge.amount_captured == charge.amount_refunded,
        "status": charge.status,
        **NOT_OF_CHARGES,
    }
    if "refunds" in expand:
        refunds = sorted(charge.refunds.all(), key=lambda refund: -refund.pk)
        answer["refunds"] = list_json(
            [refund_json(refund, expand["refunds"]) for refund in refunds], f"/v1/charges/{charge.ref}/refunds"
        )
    return answer


def refund_json(refund: Refund, expand: Expand) -> Json:
    intent = refund.charge.intent
    answer = {
        "id": refund.ref,
        "object": "refund",
        "amount": refund.amount,
        "charge": reference(refund.charge, charge_json, expand.get("charge")),
        "created": timestamp(refund.created),
        "currency": intent.currency,
        "destination_details": {"type": "card", "card": {"reference_status": "pending", "type": "refund"}},
        "metadata": refund.metadata,
        "payment_intent": reference(intent, intent_json, expand.get("payment_intent")),
        "reason": refund.reason or None,
        "status": refund.status,
        **NOT_OF_REFUNDS,
    }
    if refund.status == RefundStatus.PENDING:
        answer["pending_reason"] = "processing"
    if refund.status == RefundStatus.FAILED:
        answer["failure_reason"] = "unknown"
    return answer


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
