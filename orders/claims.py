"""A claim and what it takes: the customer's words, the key that makes a repeat the same claim, and a pair."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import connection

from orders import clock
from orders.customers import customer_key
from orders.errors import IdempotencyConflict, SoldOut
from orders.models import Drop, Order, Pair
from orders.states import PairState

KEY_LIFE = timedelta(hours=24)
LOOK_AGAIN = 0.01  # seconds; about as long as a claim takes


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


def claim_digest(body: Mapping[str, str]) -> str:
    """SHA-256 of the claim's fields as sent, in one spelling."""
    return hashlib.sha256(json.dumps(dict(body), sort_keys=True).encode()).hexdigest()


def key_digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def find_replay(*, key: str | None, digest: str) -> Order | None:
    """The order that this key made within the last 24 h. Raises IdempotencyConflict if its body was another."""
    if not key:
        return None
    order = Order.objects.filter(idempotency_key=key_digest(key), created_at__gt=clock.expression() - KEY_LIFE).first()
    if order and order.claim_digest != digest:
        raise IdempotencyConflict("This Idempotency-Key was used for another claim.")
    return order


def lock_customer(drop: Drop, customer: str) -> None:
    """One claim at a time for each customer, until the transaction ends: a double click waits instead of racing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [customer, drop.pk])


def take_pair(drop: Drop, size: Decimal) -> Pair:
    """Hold the free pair of this size with the lowest number. Raises SoldOut when none is on sale.

    Claims in flight skip each other's pairs. Whoever finds all of them locked looks again until one is free or none is
    on sale: a pair that a claim in flight has locked is not sold, for that claim may still fail. It does not wait for
    the lock itself: FOR UPDATE also locks the rows it then finds taken, so two such waits can be a deadlock.
    """
    free = Pair.objects.filter(drop=drop, size=size, state=PairState.ON_SALE).order_by("number")
    while (pair := free.select_for_update(skip_locked=True).first()) is None:
        if not free.exists():
            raise SoldOut(f"Size {size.normalize():f} is sold out.")
        time.sleep(LOOK_AGAIN)
    pair.state = PairState.HELD
    pair.save(update_fields=["state"])
    return pair
