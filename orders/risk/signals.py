"""The signals of a claim, kept with their keyed hashes from the claim until 30 days after the sale."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from orders.models import ClaimSignals, Order
from orders.risk import keys
from orders.risk.postal import Place, place

KEPT_AFTER_SALE = timedelta(days=30)
BATCH = 1000


def store(order: Order, raw: dict[str, Any]) -> ClaimSignals:
    """Keep what `request.read_signals` saw, in the claim's own transaction: one INSERT."""
    kept = signals_of(order, raw)
    kept.save(force_insert=True)
    return kept


def signals_of(order: Order, raw: dict[str, Any]) -> ClaimSignals:
    """The claim's signals with their keys. The device's cookie is kept as a key only: it could be sent again."""
    device = raw.get("device") or ""
    return ClaimSignals(
        order=order,
        drop_id=order.drop_id,
        at=order.created_at,
        raw={name: value for name, value in raw.items() if name != "device"},
        ip_key=keys.ip_key(raw.get("ip") or ""),
        net_key=keys.net_key(raw.get("ip") or ""),
        email_key=keys.email_key(order.customer_key),
        address_key=keys.address_key(place_of(order)),
        phone_key=keys.phone_key(order.phone, order.country),
        device_key=keys.token_key("device", device),
        header_key=keys.header_key(raw.get("headers") or []),
    )


def know_card(order: Order, fingerprint: str) -> bool:
    """The payment told which card it was. Did another customer of the drop pay with it, so that the score changes?

    Test cards are everybody's, so they are not counted.
    """
    if not (fingerprint and settings.RISK_COUNTS_CARDS):
        return False
    card = keys.token_key("card", fingerprint)
    ClaimSignals.objects.filter(order=order).update(card_key=card)
    return ClaimSignals.objects.filter(drop_id=order.drop_id, card_key=card).exclude(order=order).exists()


def place_of(order: Order) -> Place | None:
    """None without a street: a missing address is nobody's neighbour."""
    if not order.line1:
        return None
    return place(line1=order.line1, line2=order.line2, postcode=order.postcode, country=order.country)


def purge(now: datetime) -> int:
    """Forget the signals of drops that closed more than 30 days ago; says how many."""
    old = ClaimSignals.objects.filter(drop__closes_at__lt=now - KEPT_AFTER_SALE)
    gone = 0
    while batch := list(old.values_list("pk", flat=True)[:BATCH]):
        gone += ClaimSignals.objects.filter(pk__in=batch).delete()[0]
    return gone
