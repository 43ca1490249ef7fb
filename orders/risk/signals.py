"""The signals of a claim, kept with their keyed hashes until 30 days after the sale; those that link, until 90."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from orders.models import ClaimSignals, Order
from orders.risk import keys, links
from orders.risk.postal import Place, place

KEPT_AFTER_SALE, LINKED_AFTER_SALE = timedelta(days=30), timedelta(days=90)


def signals_of(order: Order, raw: dict[str, Any]) -> ClaimSignals:
    """What `request.read_signals` saw, with its keys. Device and ticket are keys only: they could be sent again."""
    return ClaimSignals(
        order=order,
        drop_id=order.drop_id,
        at=order.created_at,
        raw={name: value for name, value in raw.items() if name not in ("device", "ticket_id")},
        ip_key=keys.ip_key(raw.get("ip") or ""),
        net_key=keys.net_key(raw.get("ip") or ""),
        email_key=keys.email_key(order.customer_key),
        address_key=keys.address_key(place_of(order)),
        phone_key=keys.phone_key(order.phone, order.country),
        device_key=keys.token_key("device", raw.get("device") or ""),
        ticket_key=keys.token_key("ticket", raw.get("ticket_id") or ""),
        header_key=keys.header_key(raw.get("headers") or []),
        print_key=keys.print_key(raw.get("headers") or [], raw.get("client")),
    )


def know_card(order: Order, card: str) -> None:
    """The payment told which card it was, by its key."""
    ClaimSignals.objects.filter(order=order).update(card_key=card)


def shares_card(order: Order, card: str) -> bool:
    """Was another order paid with it?"""
    return ClaimSignals.objects.filter(card_key=card).exclude(order=order).exists()


def place_of(order: Order) -> Place | None:
    """None without a street: a missing address is nobody's neighbour."""
    if not order.line1:
        return None
    return place(line1=order.line1, line2=order.line2, postcode=order.postcode, country=order.country)


@transaction.atomic
def purge(now: datetime) -> int:
    """Forget what the requests showed 30 days after the drop, and what links orders after 90; says of how many.

    Whoever was linked by it is so no longer, and the seventh at an address moves up.
    """
    links.lock()
    shown = ClaimSignals.objects.filter(drop__closes_at__lt=now - KEPT_AFTER_SALE).exclude(raw={})
    emptied = shown.update(raw={}, ip_key="", net_key="", header_key="", print_key="", ticket_key="")
    deleted, _ = ClaimSignals.objects.filter(drop__closes_at__lt=now - LINKED_AFTER_SALE).delete()
    if emptied or deleted:
        links.regroup(ClaimSignals.objects.all())
    return emptied + deleted
