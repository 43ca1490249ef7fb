"""The signals of a claim, kept with their keyed hashes from the claim until 30 days after the sale."""

from datetime import datetime, timedelta
from typing import Any

from orders.models import ClaimSignals, Order
from orders.risk import keys
from orders.risk.postal import Place, place

KEPT_AFTER_SALE = timedelta(days=30)
BATCH = 1000


def store(order: Order, raw: dict[str, Any]) -> ClaimSignals:
    """Keep what `request.read_signals` saw, in the claim's own transaction: one INSERT."""
    return ClaimSignals.objects.create(
        order=order,
        drop_id=order.drop_id,
        at=order.created_at,
        raw=raw,
        ip_key=keys.ip_key(raw["ip"]),
        net_key=keys.net_key(raw["ip"]),
        email_key=keys.email_key(order.customer_key),
        address_key=keys.address_key(place_of(order)),
        phone_key=keys.phone_key(order.phone, order.country),
    )


def place_of(order: Order) -> Place:
    return place(line1=order.line1, line2=order.line2, postcode=order.postcode, country=order.country)


def purge(now: datetime) -> int:
    """Forget the signals of drops that closed more than 30 days ago; says how many."""
    old = ClaimSignals.objects.filter(drop__closes_at__lt=now - KEPT_AFTER_SALE)
    gone = 0
    while batch := list(old.values_list("pk", flat=True)[:BATCH]):
        gone += ClaimSignals.objects.filter(pk__in=batch).delete()[0]
    return gone
