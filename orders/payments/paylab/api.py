"""Stripe's subset, one function per call: read the parameters, do it, render it."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db import models

from orders.payments.paylab import books, clock, faults, objects
from orders.payments.paylab.errors import InvalidParam, Missing, UnknownAddress
from orders.payments.paylab.models import CaptureMethod, Charge, Event, Intent, Refund, Session
from orders.payments.paylab.objects import Json, expand_tree
from orders.payments.paylab.params import (
    LARGEST_AMOUNT,
    Params,
    choice,
    entries,
    expansions,
    integer,
    metadata,
    obj,
    required,
    text,
    url,
)

T = TypeVar("T", bound=models.Model)
SESSION_LASTS = timedelta(hours=24)
LATEST = 4_102_444_800  # the year 2100
CANCEL_REASONS = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"]
REFUND_REASONS = ["duplicate", "fraudulent", "requested_by_customer"]


# --- Checkout Sessions ----------------------------------------------------------------------------


def create_session(params: Params) -> Json:
    """Unlike Stripe, PayLab lets a page be open for any time, not only from 30 minutes to 24 hours."""
    expand = expand_tree("session", expansions(params))
    choice(params, "mode", ["payment"])
    success_url = url(params, "success_url")
    if not success_url:
        raise required("success_url")
    lines = [line_item(entry) for entry in entries(params, "line_items")]
    if not lines:
        raise required("line_items")
    currency = lines[0]["currency"]
    if any(line["currency"] != currency for line in lines):
        raise InvalidParam("All line items must have the same currency.", param="line_items")
    amount = sum(line["amount_total"] for line in lines)
    if not 0 < amount <= LARGEST_AMOUNT:
        raise InvalidParam(
            f"The total must be from 1 to {LARGEST_AMOUNT}.",
            code="amount_too_large" if amount else "amount_too_small",
            param="line_items",
        )
    now = clock.now()
    expires_at = integer(params, "expires_at", most=LATEST)
    if expires_at is not None and expires_at <= now.timestamp():
        raise InvalidParam("The `expires_at` timestamp must be in the future.", param="expires_at")
    intent, notes = obj(params, "payment_intent_data"), metadata(params)
    planned = faults.asked_for(notes)
    session = Session.objects.create(
        created=now,
        amount=amount,
        currency=currency,
        capture_method=choice(intent, "capture_method", CaptureMethod.values, default=CaptureMethod.AUTOMATIC),
        line_items=lines,
        customer_email=text(params, "customer_email", longest=800),
        client_reference_id=text(params, "client_reference_id", longest=200),
        metadata=notes,
        intent_metadata=metadata(intent),
        intent_description=text(intent, "description"),
        success_url=success_url,
        cancel_url=url(params, "cancel_url"),
        expires_at=now + SESSION_LASTS if expires_at is None else datetime.fromtimestamp(expires_at, UTC),
    )
    faults.add_to_session(session, *planned)
    return objects.session_json(session, expand)


def line_item(entry: Any) -> Json:
    """One line with its price; prices kept by the provider are not part of the subset."""
    if not isinstance(entry, dict):
        raise InvalidParam("Invalid array", param="line_items")
    price = obj(entry, "price_data")
    currency = text(price, "currency").lower()
    product = text(obj(price, "product_data"), "name", longest=250)
    unit_amount, quantity = integer(price, "unit_amount"), integer(entry, "quantity", least=1)
    if not price:
        raise required("line_items[0][price_data]")
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        raise InvalidParam("Invalid currency: three letters, as in usd", param="line_items[0][price_data][currency]")
    if not product:
        raise required("line_items[0][price_data][product_data][name]")
    if unit_amount is None:
        raise required("line_items[0][price_data][unit_amount]")
    if quantity is None:
        raise required("line_items[0][quantity]")
    return {
        "object": "item",
        "description": product,
        "quantity": quantity,
        "currency": currency,
        "amount_subtotal": unit_amount * quantity,
        "amount_total": unit_amount * quantity,
    }


def list_sessions(params: Params) -> Json:
    sessions = Session.objects.select_related("intent").prefetch_related("intent__charges")
    if intent := text(params, "payment_intent"):
        sessions = sessions.filter(intent__ref=intent)
    if status := text(params, "status"):
        sessions = sessions.filter(status=status)
    return page(
        params, "session", sessions, objects.session_json, "/v1/checkout/sessions", {"payment_intent", "status"}
    )


def get_session(params: Params, ref: str) -> Json:
    expand = expand_tree("session", expansions(params))
    return objects.session_json(books.look_up(ref), expand)


def expire_session(params: Params, ref: str) -> Json:
    expand = expand_tree("session", expansions(params))
    return objects.session_json(books.expire(ref), expand)


# --- Payment Intents ------------------------------------------------------------------------------


def intents() -> models.QuerySet[Intent]:
    return Intent.objects.select_related("session").prefetch_related("charges__refunds")


def list_intents(params: Params) -> Json:
    """The ledger, newest first."""
    return page(params, "intent", intents(), objects.intent_json, "/v1/payment_intents")


def get_intent(params: Params, ref: str) -> Json:
    expand = expand_tree("intent", expansions(params))
    return objects.intent_json(find(intents(), ref, "payment_intent", "intent"), expand)


def capture_intent(params: Params, ref: str) -> Json:
    expand = expand_tree("intent", expansions(params))
    return objects.intent_json(books.capture(ref, integer(params, "amount_to_capture", least=1)), expand)


def cancel_intent(params: Params, ref: str) -> Json:
    expand = expand_tree("intent", expansions(params))
    reason = text(params, "cancellation_reason") and choice(params, "cancellation_reason", CANCEL_REASONS)
    return objects.intent_json(books.cancel(ref, reason), expand)


# --- Charges, Refunds, Events ---------------------------------------------------------------------


def get_charge(params: Params, ref: str) -> Json:
    expand = expand_tree("charge", expansions(params))
    return objects.charge_json(find(Charge.objects.select_related("intent"), ref, "charge", "charge"), expand)


def create_refund(params: Params) -> Json:
    expand = expand_tree("refund", expansions(params))
    intent, charge = text(params, "payment_intent"), text(params, "charge")
    if not (intent or charge):
        raise InvalidParam("One of the following params should be provided for this request: payment_intent or charge.")
    made = books.refund(
        intent_ref=intent,
        charge_ref=charge,
        amount=integer(params, "amount", least=1),
        reason=text(params, "reason") and choice(params, "reason", REFUND_REASONS),
        metadata=metadata(params),
    )
    return objects.refund_json(made, expand)


def list_refunds(params: Params) -> Json:
    refunds = Refund.objects.select_related("charge__intent")
    if intent := text(params, "payment_intent"):
        refunds = refunds.filter(charge__intent__ref=intent)
    if charge := text(params, "charge"):
        refunds = refunds.filter(charge__ref=charge)
    return page(params, "refund", refunds, objects.refund_json, "/v1/refunds", {"payment_intent", "charge"})


def get_refund(params: Params, ref: str) -> Json:
    expand = expand_tree("refund", expansions(params))
    return objects.refund_json(find(Refund.objects.select_related("charge__intent"), ref, "refund", "refund"), expand)


def list_events(params: Params) -> Json:
    events = in_seconds(Event.objects.all(), obj(params, "created"))
    kind, kinds = text(params, "type"), entries(params, "types")
    if kind and kinds:
        raise InvalidParam("You may pass either `type` or `types`, but not both.", param="type")
    if kind.endswith("*"):
        events = events.filter(type__startswith=kind[:-1])
    elif kind:
        events = events.filter(type=kind)
    if kinds:
        events = events.filter(type__in=kinds)
    return page(params, "event", events, objects.event_json, "/v1/events", {"type", "types", "created"})


def in_seconds(rows: models.QuerySet[T], created: Params) -> models.QuerySet[T]:
    """Those that were made between some moments. A moment is a whole second, as the reader sees it."""
    refuse_others(created, {"gt", "gte", "lt", "lte"})
    for name, lookup, later in (
        ("gte", "created__gte", 0),
        ("gt", "created__gte", 1),
        ("lt", "created__lt", 0),
        ("lte", "created__lt", 1),
    ):
        if (second := integer(created, name, most=LATEST)) is not None:
            rows = rows.filter(**{lookup: datetime.fromtimestamp(second + later, UTC)})
    return rows


def get_event(params: Params, ref: str) -> Json:
    return objects.event_json(find(Event.objects.all(), ref, "event", "id"))


def unknown(params: Params, path: str) -> Json:
    raise UnknownAddress(f"Unrecognized request URL (/v1/{path}). PayLab speaks a part of Stripe's API.")


# --- what the lists and look-ups share ------------------------------------------------------------


def find(rows: models.QuerySet[T], ref: str, kind: str, param: str) -> T:
    """Raises Missing."""
    thing = rows.filter(ref=ref).first()
    if thing is None:
        raise Missing(kind, ref, param=param)
    return thing


def refuse_others(params: Params, known: Collection[str]) -> None:
    """A parameter of a list that we do not know is refused: to ignore a filter is to lie."""
    if strange := set(params) - set(known):
        raise InvalidParam(f"Received unknown parameter: {min(strange)}", code="parameter_unknown", param=min(strange))


def page(
    params: Params,
    kind: str,
    rows: models.QuerySet,
    render: Callable[..., Json],
    address: str,
    filters: Collection[str] = (),
) -> Json:
    """Newest first, from one cursor on."""
    refuse_others(params, {"limit", "starting_after", "ending_before", "expand", *filters})
    expand = expand_tree(kind, expansions(params), listed=True)
    limit = integer(params, "limit", least=1, most=100) or 10
    after, before = text(params, "starting_after"), text(params, "ending_before")
    backwards = bool(before and not after)
    if after:
        rows = rows.filter(pk__lt=find(rows.model._default_manager.all(), after, kind, "starting_after").pk)
    elif before:
        rows = rows.filter(pk__gt=find(rows.model._default_manager.all(), before, kind, "ending_before").pk)
    found = list(rows.order_by("pk" if backwards else "-pk")[: limit + 1])
    shown = found[:limit]
    if backwards:
        shown.reverse()
    return objects.list_json([render(row, expand) for row in shown], address, has_more=len(found) > limit)
