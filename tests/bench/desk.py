"""The review desk with 500 orders to decide: what one look costs, and twenty reviewers who watch it change."""

import time
from collections.abc import Callable

import httpx
import psycopg
from psycopg.types.json import Json

from tests.bench.deadlines import connect, make
from tests.bench.doors.runs import still
from tests.bench.figures import Run
from tests.bench.meter import cpu_seconds, kind
from tests.processes import of_folder
from tests.shop import Shop, running_shop

OPEN, LOOKS, RUNS = 500, 50, 3
WATCHERS, EVERY, CHANGES, SECONDS = 20, 6, 1.5, 30  # seconds from look to look, and from change to change

# Orders that wait for their payment come into review, as the workflow would have led them there.
REVIEW = """
WITH waiting AS (
    UPDATE orders_order SET state = 'awaiting_approval', score = 70, level = 'medium', updated_at = now()
    WHERE state = 'awaiting_payment' RETURNING number
),
paid AS (
    UPDATE orders_payment SET state = 'authorised', capture_before = now() + interval '6 days'
    FROM waiting WHERE order_id = number
),
scored AS (INSERT INTO orders_evidence (order_id, features, reasons) SELECT number, '{}', %s FROM waiting)
UPDATE orders_callback SET kind = 'approval' FROM waiting WHERE order_id = number
"""
REASONS = [{"feature": "ip_sale", "value": 12, "contribution": 1.3, "text": "12 customers from one IP address"}] * 3
CHANGE = "UPDATE orders_order SET updated_at = now() WHERE number = (SELECT max(number) FROM orders_order)"


def runs() -> list[Run]:
    with running_shop() as shop, connect(shop) as connection:
        make(connection, 1, OPEN)
        connection.execute(REVIEW, [Json(REASONS)])
        connection.execute("VACUUM ANALYZE")
        reviewer = shop.staff()
        with still(shop):
            return [one(shop, reviewer, connection) for _ in range(RUNS)]


def one(shop: Shop, reviewer: httpx.Client, connection: psycopg.Connection) -> Run:
    size = len(reviewer.get("/admin/review/").raise_for_status().content)
    before = spent(shop)
    for _ in range(LOOKS):
        reviewer.get("/admin/review/")
    return {
        "KB of the desk": size / 1000,
        "CPU ms of a look at the desk": 1000 * (spent(shop) - before) / LOOKS,
        "CPU % of a core, 20 watch": watched(shop, reviewer, lambda: None),
        "CPU % of a core, 20 watch changes": watched(shop, reviewer, lambda: connection.execute(CHANGE)),
    }


def watched(shop: Shop, reviewer: httpx.Client, change: Callable[[], object]) -> float:
    """Each has a tag of their own, as each has a page; one after the other they look."""
    tags = [""] * WATCHERS
    begun, before, changes = time.monotonic(), spent(shop), 0
    for look in range(SECONDS * WATCHERS // EVERY):
        time.sleep(max(0.0, begun + look * EVERY / WATCHERS - time.monotonic()))
        if time.monotonic() - begun > changes * CHANGES:
            changes += 1
            change()
        answer = reviewer.get("/admin/review/live/", headers={"If-None-Match": tags[look % WATCHERS]})
        tags[look % WATCHERS] = answer.headers["ETag"]
    return 100 * (spent(shop) - before) / (time.monotonic() - begun)


def spent(shop: Shop) -> float:
    """CPU seconds of those who answer a look."""
    return sum(
        cpu_seconds(pid) for pid, command in of_folder(shop.folder).items() if kind(command) in ("web", "PostgreSQL")
    )
