"""What is measured about an order. Missing is None, never a guess; a count includes the order itself.

Counts are of customers, not of orders: who cancels and claims again is still one. Windows lie around the order's own
claim, but see everybody known by now, so that an operator's first order, scored again, shows the siblings that came
after it.

Two queries, `signed` and `neighbours.find`, whether for one order or for hundreds.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import timedelta

from orders.models import ClaimSignals, Order
from orders.models.rows import columns_of
from orders.risk import mailboxes
from orders.risk.client import contradictions, foreign_clock
from orders.risk.keys import WIDER
from orders.risk.neighbours import Neighbours
from orders.risk.signals import place_of
from orders.risk.ticket import Ticket

Features = dict[str, float | None]

VERSION = 3  # of the vector: which features there are, and what each means
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
TEN_SECONDS, MINUTE, TEN_MINUTES = timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10)
SCRIPTS = (
    "python", "curl", "wget", "httpx", "aiohttp", "okhttp", "go-http-client", "java/", "node", "axios", "undici",
    "libwww", "scrapy", "headless", "phantomjs", "selenium", "puppeteer", "playwright", "postman",
)  # fmt: skip


ATTEMPTS = """(
    SELECT sum(count) FROM orders_claimattempts AS tried
    WHERE tried.ip_key = orders_claimsignals.ip_key
          AND minute > orders_claimsignals.at - INTERVAL '10 minutes' AND minute <= orders_claimsignals.at
) AS attempts"""


def signed(orders: Collection[Order], *more: str) -> dict[int, ClaimSignals]:
    """Each order's signals by its number, with `more` (columns in SQL) and with `attempts`: claims from the address in
    the ten minutes up to it, refused ones too; None where none was counted. One query.
    """
    by_number = {order.number: order for order in orders}
    found: dict[int, ClaimSignals] = {}
    columns = ", ".join([columns_of(ClaimSignals), ATTEMPTS, *more])
    # Written out: Django took longer to find these words than PostgreSQL to find the answer.
    sql = f"SELECT {columns} FROM orders_claimsignals WHERE order_id = ANY(%s)"  # noqa: S608  # ours throughout
    for signals in ClaimSignals.objects.raw(sql, [[*by_number]]):
        signals.order = by_number[signals.order_id]
        found[signals.order_id] = signals
    return found


def features_of(
    orders: Sequence[Order], signals: Mapping[int, ClaimSignals], around: Neighbours
) -> dict[int, Features]:
    """Each order's features by its number; all orders are of one drop, their signals are `signed`, and `around` are
    the neighbours of these."""
    return {
        order.number: mailbox_features(order)
        | (
            request_features(order, kept)
            | sale_features(kept, around)
            | velocity_features(order, kept, around)
            | link_features(kept, around)
            if (kept := signals.get(order.number))
            else {}
        )
        for order in orders
    }


def mailbox_features(order: Order) -> Features:
    """The e-mail address by itself."""
    if not order.customer_key:
        return {}
    local, _, domain = order.customer_key.rpartition("@")
    return {
        "email_disposable": float(mailboxes.is_disposable(domain)),
        "email_digits": mailboxes.digit_share(local),
        "email_entropy": mailboxes.entropy(local),
        "email_likeness": mailboxes.likeness(local, order.name) if order.name else None,
    }


def request_features(order: Order, signals: ClaimSignals) -> Features:
    """The claim's request by itself. A claim through the API has no page, so no time on it and no report of one."""
    raw = signals.raw
    headers = {name.lower(): value for name, value in raw.get("headers") or []}
    agent = headers.get("user-agent", "").lower()
    client, milliseconds, work = raw.get("client"), raw.get("page_to_submit_ms"), raw.get("ticket_ms")
    ticket = raw.get("ticket")  # None: nobody looked for one
    return {
        "page_to_submit": None if milliseconds is None else milliseconds / 1000,
        "ticket": None if work is None else work / 1000,
        "ticket_missing": float(ticket == Ticket.MISSING) if ticket or (client and ticket is not None) else None,
        "ticket_invalid": float(ticket == Ticket.INVALID) if ticket else None,
        "headers_missing": float(("user-agent" not in headers) + ("accept-language" not in headers))
        if headers
        else None,
        "script_client": float(any(word in agent for word in SCRIPTS)) if headers else None,
        "contradictions": float(len(contradictions(headers, client))) if headers else None,
        "foreign_clock": foreign_clock(client, order.country),
        "honeypot": float(bool(raw["honeypot"])) if "honeypot" in raw else None,
    }


def sale_features(signals: ClaimSignals, around: Neighbours) -> Features:
    """Where the claim stands in its sale."""
    seen = around.orders.get(signals.order_id)
    return {
        "claim_rank": float(seen.rank) if seen else None,
        "header_share": seen.header_share if seen and seen.header else None,
    }


def velocity_features(order: Order, signals: ClaimSignals, around: Neighbours) -> Features:
    """How many customers share something with this order; None for what it does not have."""

    def customers(kind: str, key: str) -> float | None:
        return float(max(1, around.group(kind, key).customers)) if key else None

    def densest(kind: str, key: str, span: timedelta) -> float | None:
        return float(around.group(kind, key).densest(signals.at, span)) if key else None

    ip, net, mailbox = signals.ip_key, signals.net_key, signals.email_key
    private = bool(mailbox and mailboxes.private_domain(order.customer_key))
    program = net + signals.header_key if net and signals.header_key else ""
    return {
        "ip_1m": densest("ip", ip, MINUTE),
        "ip_10m": densest("ip", ip, TEN_MINUTES),
        "ip_sale": customers("ip", ip),
        "net_10s": densest("net", net, TEN_SECONDS),
        "net_10m": densest("net", net, TEN_MINUTES),
        "net_sale": customers("net", net),
        "burst": densest("program", program, SECOND),
        "email_orders": float(max(1, len(around.group("mailbox", mailbox).members))) if mailbox else None,
        "email_domain": customers("domain", mailbox[:WIDER]) if private else None,
        "domain_1h": densest("domain", mailbox[:WIDER], HOUR) if private else None,
        "address_sale": same_address(order, signals, around),
        "phone_sale": customers("phone", signals.phone_key),
        "device_sale": customers("device", signals.device_key),
        "device_1h": densest("device", signals.device_key, HOUR),
        "card_sale": customers("card", signals.card_key),
        "ticket_sale": customers("ticket", signals.ticket_key),
        "attempts_10m": signals.attempts,  # type: ignore[attr-defined]  # see signed()
    }


def link_features(signals: ClaimSignals, around: Neighbours) -> Features:
    """The group that this order is linked with, in this drop and earlier ones; 1, 0 and 0 for an order by itself."""
    group, own = around.group("link", str(signals.link)), signals.order_id

    def others(orders: Set[int]) -> float:
        return float(len(orders) - (own in orders))

    return {
        "link_size": float(max(1, group.customers)),
        "link_paid": others(group.paid),
        "link_rejected": others(group.rejected),
    }


def same_address(order: Order, signals: ClaimSignals, around: Neighbours) -> float | None:
    """Customers at this house number whose street is this one, slips and noise allowed."""
    ours = place_of(order)
    return None if ours is None else float(max(1, around.residents(signals.address_key, ours.street)))
