"""What is measured about an order. Missing is None, never a guess; a count includes the order itself.

Counts are of customers, not of orders: who cancels and claims again is still one. Windows lie around the order's own
claim, but see everybody known by now, so that an operator's first order, scored again, shows the siblings that came
after it.

Three queries at most, whether for one order or for hundreds.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import prefetch_related_objects

from orders.models import ClaimAttempts, ClaimSignals, Order
from orders.risk import mailboxes, neighbours
from orders.risk.keys import WIDER
from orders.risk.neighbours import Neighbour, Neighbours
from orders.risk.postal import alike
from orders.risk.signals import place_of

Features = dict[str, float | None]

ZERO = timedelta(0)
TEN_SECONDS, MINUTE, TEN_MINUTES = timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10)
MOST_STREETS = 100  # spellings of one address that are compared; beyond that the count says enough
SCRIPTS = (
    "python", "curl", "wget", "httpx", "aiohttp", "okhttp", "go-http-client", "java/", "node", "axios", "undici",
    "libwww", "scrapy", "headless", "phantomjs", "selenium", "puppeteer", "playwright", "postman",
)  # fmt: skip


def features_of(orders: Sequence[Order], now: datetime) -> dict[int, Features]:
    """Each order's features by its number; all orders are of one drop."""
    if not orders:
        return {}
    prefetch_related_objects(orders, "signals")
    signed = {order.number: order.signals for order in orders if hasattr(order, "signals")}
    around = neighbours.find(signed.values(), drop_id=orders[0].drop_id, now=now)
    attempts = attempts_of(signed)
    return {
        order.number: mailbox_features(order)
        | (
            request_features(signals)
            | velocity_features(order, signals, around)
            | {"attempts_10m": attempts[order.number]}
            if (signals := signed.get(order.number))
            else {}
        )
        for order in orders
    }


def mailbox_features(order: Order) -> Features:
    """The e-mail address by itself."""
    local, _, domain = order.customer_key.rpartition("@")
    return {
        "email_disposable": float(mailboxes.is_disposable(domain)),
        "email_digits": mailboxes.digit_share(local),
        "email_entropy": mailboxes.entropy(local),
        "email_likeness": mailboxes.likeness(local, order.name),
    }


def request_features(signals: ClaimSignals) -> Features:
    """The claim's request by itself. A claim through the API has no page, so no time on it."""
    headers = {name.lower(): value for name, value in signals.raw.get("headers", [])}
    agent = headers.get("user-agent", "").lower()
    milliseconds = signals.raw.get("page_to_submit_ms")
    return {
        "page_to_submit": None if milliseconds is None else milliseconds / 1000,
        "headers_missing": float(("user-agent" not in headers) + ("accept-language" not in headers)),
        "script_client": float(any(word in agent for word in SCRIPTS)),
        "honeypot": float(bool(signals.raw.get("honeypot"))),
    }


def velocity_features(order: Order, signals: ClaimSignals, around: Neighbours) -> Features:
    """How many customers share something with this order."""
    ip, net = around.group("ip", signals.ip_key), around.group("net", signals.net_key)
    mailbox = around.group("mailbox", signals.email_key)
    private = mailboxes.private_domain(order.customer_key)
    domain = around.group("domain", signals.email_key[:WIDER]) if private else None
    phone = around.group("phone", signals.phone_key) if signals.phone_key else None
    return {
        "ip_1m": float(ip.densest(signals.at, MINUTE)),
        "ip_10m": float(ip.densest(signals.at, TEN_MINUTES)),
        "ip_sale": float(max(1, ip.customers)),
        "net_10s": float(net.densest(signals.at, TEN_SECONDS)),
        "net_10m": float(net.densest(signals.at, TEN_MINUTES)),
        "net_sale": float(max(1, net.customers)),
        "email_orders": float(max(1, len(mailbox.members))),
        "email_domain": float(max(1, domain.customers)) if domain else None,
        "address_sale": float(max(1, same_address(order, signals, around))),
        "phone_sale": float(max(1, phone.customers)) if phone else None,
    }


def same_address(order: Order, signals: ClaimSignals, around: Neighbours) -> int:
    """Customers at this house number whose street is this one, slips and noise allowed."""
    street = place_of(order).street
    residents: dict[str, list[Neighbour]] = {signals.address_key: []}
    for member in around.group("block", signals.address_key[:WIDER]).members:
        residents.setdefault(member.address, []).append(member)
    return len(
        {
            member.mailbox
            for address, members in islice(residents.items(), MOST_STREETS)
            if address == signals.address_key or alike(street, members[0].place.street)
            for member in members
        }
    )


def attempts_of(signed: Mapping[int, ClaimSignals]) -> dict[int, float | None]:
    """Claims from the address in the ten minutes up to each order, refused ones too; None where none was counted."""
    if not signed:
        return {}
    times = [signals.at for signals in signed.values()]
    counted = defaultdict(list)
    for key, minute, count in ClaimAttempts.objects.filter(
        ip_key__in={signals.ip_key for signals in signed.values()},
        minute__gt=min(times) - TEN_MINUTES,
        minute__lte=max(times),
    ).values_list("ip_key", "minute", "count"):
        counted[key].append((minute, count))
    return {
        number: sum(count for minute, count in counted[signals.ip_key] if -TEN_MINUTES < minute - signals.at <= ZERO)
        or None
        for number, signals in signed.items()
    }
