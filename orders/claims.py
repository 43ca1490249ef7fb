"""A claim and what it takes: the customer's words, the key that makes a repeat the same claim, and a pair.

A claim is two statements: one look at all that decides it, without a lock, and one that takes a pair and makes the
order, all or none. The schema is the judge between claims at the same instant: no pair, customer or key twice.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from psycopg.types.json import Jsonb

from orders import clock
from orders.bell import TOGETHER
from orders.customers import customer_key
from orders.errors import IdempotencyConflict
from orders.models import ClaimSignals, Order
from orders.models.drop import CURRENT
from orders.states import FIRST, Actor, PairState, State, Undo

KEY_LIFE = timedelta(hours=24)

# One size, as a range and in its order: no index but pair_by_size has that, however few pairs the planner thinks gone,
# and the plan that a connection keeps serves them all.
OF_SIZE = "size BETWEEN %(size)s AND %(size)s ORDER BY size"

LOOK = f"""
WITH sale AS ({CURRENT})
SELECT sale.id, now, opens_at, closes_at,
       (SELECT id FROM orders_pair WHERE drop_id = sale.id AND {OF_SIZE} LIMIT 1) IS NOT NULL,
       (SELECT id FROM orders_pair
        WHERE drop_id = sale.id AND state = '{PairState.ON_SALE}' AND {OF_SIZE} LIMIT 1) IS NOT NULL,
       (SELECT number FROM orders_order
        WHERE drop_id = sale.id AND customer_key = %(customer)s AND state <> '{State.COMPENSATED}'),
       keyed.number, keyed.claim_digest, keyed.created_at <= now - %(life)s
FROM sale LEFT JOIN orders_order AS keyed ON idempotency_key = %(key)s
"""  # noqa: S608  # constants

# How an order begins stands in the statement, for it is always the same; to bind it with each claim costs.
# Claims in flight skip each other's pairs. No row comes back where each pair on sale is in such hands, and none where
# another order of the customer or the key was there first: ON CONFLICT waits until that one is certain.
PLACE = f"""
WITH pair AS (
    SELECT id, number FROM orders_pair
    WHERE drop_id = %(drop_id)s AND state = '{PairState.ON_SALE}' AND {OF_SIZE}, number LIMIT 1 FOR UPDATE SKIP LOCKED
), placed AS (
    INSERT INTO orders_order (
        public_id, state, outcome, created_at, updated_at, drop_id, pair_id, pair_number, size, undo, email,
        customer_key, name, line1, line2, city, postcode, country, phone, idempotency_key, claim_digest, level,
        score_degraded
    )
    SELECT %(public_id)s, '{State.PROCESSING}', '', %(created_at)s, %(created_at)s, %(drop_id)s, pair.id, pair.number,
           %(size)s, '{{{Undo.RELEASE_PAIR}}}', %(email)s, %(customer_key)s, %(name)s, %(line1)s, %(line2)s, %(city)s,
           %(postcode)s, %(country)s, %(phone)s, %(idempotency_key)s, %(claim_digest)s, '', false
    FROM pair ON CONFLICT DO NOTHING RETURNING number, pair_id, pair_number
), held AS (
    UPDATE orders_pair SET state = '{PairState.HELD}' FROM placed WHERE id = pair_id
), signals AS (
    INSERT INTO orders_claimsignals (
        order_id, drop_id, at, raw, ip_key, net_key, email_key, address_key, phone_key, device_key, header_key,
        print_key, ticket_key
    )
    SELECT number, %(drop_id)s, %(at)s, %(raw)s, %(ip_key)s, %(net_key)s, %(email_key)s, %(address_key)s,
           %(phone_key)s, %(device_key)s, %(header_key)s, %(print_key)s, %(ticket_key)s
    FROM placed
), journal AS (
    INSERT INTO orders_event (order_id, at, what, state, outcome, actor, who, cause, data)
    SELECT number, %(created_at)s, 'claimed', '{State.PROCESSING}', '', '{Actor.CUSTOMER}', '', '',
           jsonb_build_object('pair', pair_number)
    FROM placed
), work AS (
    INSERT INTO orders_work (order_id, step, due_at, attempts, crashes, last_error)
    SELECT number, step, %(created_at)s, 0, 0, '' FROM placed, unnest('{{{",".join(FIRST)}}}'::text[]) AS step
)
SELECT number, pair_id, pair_number FROM placed
"""  # noqa: S608

RING = "SELECT " + ", ".join(f"pg_notify('work', '{step}')" for step in FIRST)


@dataclass(frozen=True)
class Claim:
    """What the customer typed, cleaned."""

    size: Decimal
    email: str
    name: str
    line1: str
    line2: str
    city: str
    postcode: str
    country: str
    phone: str

    @property
    def customer_key(self) -> str:
        return customer_key(self.email)


@dataclass(frozen=True)
class Standing:
    """How things stand for a claim, all at one moment."""

    drop_id: int
    now: datetime
    opens_at: datetime
    closes_at: datetime
    has_size: bool  # does the drop have pairs of it at all?
    on_sale: bool
    earlier: int | None  # the customer's live order
    keyed: int | None  # the order that the key made
    keyed_digest: str
    key_expired: bool

    def replay(self, digest: str) -> Order | None:
        """The order that this key made within the last 24 h. Raises IdempotencyConflict if its body was another."""
        if self.keyed is None or self.key_expired:
            return None
        if self.keyed_digest != digest:
            raise IdempotencyConflict("This Idempotency-Key was used for another claim.")
        return Order.objects.get(number=self.keyed)


def claim_digest(body: Mapping[str, str]) -> str:
    """SHA-256 of the claim's fields as sent, in one spelling."""
    return hashlib.sha256(json.dumps(dict(body), sort_keys=True).encode()).hexdigest()


def key_digest(key: str | None) -> str | None:
    return hashlib.sha256(key.encode()).hexdigest() if key else None


def look(*, size: Decimal | None, customer: str, key: str | None, drop: int | None = None) -> Standing | None:
    """One look at the current drop, or at the one that is named; None without a drop.

    It is what a claim asks first, and changes nothing. So it needs no check of the connection before it: should that be
    dead, it is asked once more over a new one. Where there is none to be had, nobody waits for it twice.
    """
    words: dict[str, Any] = {"size": size, "customer": customer, "key": key_digest(key), "drop": drop}
    words |= {"offset": clock.offset, "life": KEY_LIFE}
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        return see(words)
    except (OperationalError, InterfaceError):
        if connection.connection is None:
            raise
        connection.close()
        return see(words)


def see(words: dict[str, Any]) -> Standing | None:
    with connection.cursor() as cursor:
        cursor.execute(LOOK, words)
        row = cursor.fetchone()
    return Standing(*row) if row else None


def take_pair(order: Order, signals: ClaimSignals) -> bool:
    """Hold the free pair of the order's size with the lowest number, and write down the new order with it: its signals,
    the journal's first line and what comes next. False: somebody was quicker, or may be; nothing is written.
    """
    with connection.cursor() as cursor:
        cursor.execute(PLACE, vars(order) | vars(signals) | {"raw": Jsonb(signals.raw)})
        row = cursor.fetchone()
    if row is None:
        return False
    order.number, order.pair_id, order.pair_number = row
    return True


class ClaimBell:
    """Tells the relay of a claim that has committed: NOTIFY within it would let one claim at a time commit, its wait
    for the disk included.

    The relay rings again once TOGETHER has passed, so one bell serves all that this process commits meanwhile. Should
    it be lost, the sweep finds the work, and the claim stands: its customer must hear so.
    """

    def __init__(self) -> None:
        self.rung_at = float("-inf")

    def tell_relay(self) -> None:
        now = time.monotonic()
        if now - self.rung_at < TOGETHER:
            return
        self.rung_at = now  # and not afterwards: the relay's TOGETHER would begin, and end, before ours
        with suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
            cursor.execute(RING)


bell = ClaimBell()
