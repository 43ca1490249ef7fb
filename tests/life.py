"""An order's life in a test: the same functions as the product, PayLab and ParcelLab over real HTTP.

Workers, relay and beat are inlined: `settle()` does whatever is due, `later()` moves the database's clock.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.db import connection, transaction

from orders import clock, workflow
from orders.claims import Claim, claim_digest, look
from orders.engine import Lease, enqueue, find, let_go, perform, run_due, take_up
from orders.models import Drop, Order
from orders.payments import stripe
from orders.payments.paylab.courier import Courier
from orders.risk import neighbours
from orders.risk.features import Features, features_of, signed
from orders.states import QUEUES, Step
from orders.sweep import sweep

GOOD_CARD, DECLINED_CARD = "4242424242424242", "4000000000000002"
SIZE = Decimal("9")


def open_drop(pairs: dict[str, int] | None = None, **changes: Any) -> Drop:
    now = clock.now()
    fields = {
        "name": "Test 1000 π",
        "price": 29900,
        "currency": "usd",
        "opens_at": now - timedelta(minutes=1),
        "closes_at": now + timedelta(days=2),
    }
    drop = Drop.objects.create(**(fields | changes))
    drop.add_pairs({Decimal(size): count for size, count in (pairs or {"9": 3}).items()})
    return drop


def a_claim(email: str | None = None, **changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "size": SIZE,
        "email": email or f"{uuid.uuid4().hex[:10]}@example.org",
        "name": "Ada Example",
        "line1": "12 Main Street",
        "line2": "",
        "city": "Springfield",
        "postcode": "12345",
        "country": "US",
        "phone": "",
    }
    return Claim(**(fields | changes))


SIGNALS = {
    "ip": "192.0.2.7",
    "headers": [["User-Agent", "Mozilla/5.0"]],
    "page_to_submit_ms": 20_000,
    "honeypot": False,
}


def place(
    drop: Drop, claim: Claim | None = None, *, key: str | None = None, signals: dict[str, Any] | None = None
) -> Order:
    claim = claim or a_claim()
    digest = claim_digest({"email": claim.email, "size": str(claim.size)})
    standing = look(size=claim.size, customer=claim.customer_key, key=key, drop=drop.pk)
    assert standing
    return workflow.claim_pair(standing=standing, claim=claim, raw_signals=signals or SIGNALS, key=key, digest=digest)


def settle(*, rounds: int = 30) -> None:
    """Do everything that is due now, as relay, beat and workers would."""
    for _ in range(rounds):
        sweep()
        deliver_webhooks()
        if not sum(run_due(steps, workflow.undo_order) for steps in QUEUES):
            return
    raise AssertionError("the work never ends")


@contextmanager
def taken_up(steps: Sequence[Step]) -> Iterator[Lease | None]:
    """Hold the next due row of these steps until the block ends, or None."""
    held = take_up(steps)
    try:
        yield find(held) if held else None
    finally:
        let_go(held)


def one_step(step: Step) -> bool:
    """Do one due step and nothing of what follows from it."""
    with taken_up([step]) as lease:
        if lease:
            perform(lease, workflow.undo_order)
        return lease is not None


@transaction.atomic
def rung(order: Order, step: Step) -> None:
    """The order has this step before it, or once more."""
    locked = Order.objects.lock(order.number)
    enqueue(locked, step)
    locked.commit()


def deliver_webhooks() -> None:
    """PayLab's courier, inlined."""
    courier = Courier()
    courier.deliver_due()
    courier.http.close()


def pay(order: Order, card: str = GOOD_CARD) -> httpx.Response:
    """What the customer does on the hosted page."""
    order.payment.refresh_from_db()
    return httpx.post(order.payment.url, data={"card": card}, follow_redirects=False)


def later(delta: timedelta) -> None:
    clock.offset += delta


def paid_order(drop: Drop, **changes: Any) -> Order:
    order = place(drop, a_claim(**changes))
    settle()
    pay(order)
    settle()
    return fresh(order)


def approve(order: Order) -> Order:
    return workflow.approve_order(number=order.number, reviewer="staff", reason="looks_genuine", note="")


def reject(order: Order) -> Order:
    return workflow.reject_order(number=order.number, reviewer="staff", reason="suspected_bot", note="x")


def fresh(order: Order) -> Order:
    return Order.objects.get(number=order.number)


def features_now(orders: Sequence[Order]) -> dict[int, Features]:
    """What a score of each of these orders would see, by number."""
    kept = signed(orders)
    return features_of(orders, kept, neighbours.find(kept.values(), drop_id=orders[0].drop_id, now=clock.now()))


def story(order: Order) -> list[str]:
    return list(order.events.values_list("what", flat=True))


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Run all of them at the same moment; an exception is a result."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        try:
            barrier.wait(20)
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def kinds(results: list[Any]) -> dict[str, int]:
    names = [type(result).__name__ for result in results]
    return {name: names.count(name) for name in names}


def held_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        return int(cursor.fetchone()[0])


def hang_up() -> None:
    """Forget the provider's client. A connection kept alive would keep a session of the test database."""
    http = stripe.client()._requestor._client
    assert http
    http.close()  # type: ignore[no-untyped-call]
    stripe.client_for.cache_clear()


@pytest.fixture
def strangers(transactional_db: None, live_server: Any, settings: Any, tmp_path: Any) -> Any:
    """The shop's outside world, over HTTP: PayLab, ParcelLab and the mail directory; time is put right afterwards."""
    from orders.shipping import carrier
    from quantasneaks.paths import DataDir

    settings.INTERNAL_URL = settings.PUBLIC_URL = live_server.url
    settings.PAYMENT_API_BASE = f"{live_server.url}/paylab"
    settings.CARRIER_API_BASE = f"{live_server.url}/parcellab"
    settings.DATA_DIR = DataDir(tmp_path)
    settings.EMAIL_BACKEND = "orders.notifications.eml.EmlBackend"
    carrier.cache_clear()
    yield live_server
    hang_up()
    clock.offset = timedelta(0)
    carrier.cache_clear()
