"""The sweep: of very many open deadlines a few pass at once; how late they are picked up, how fast they are undone."""

import subprocess
import sys
import time
from contextlib import ExitStack

import psycopg

from tests.bench.figures import Run, percentile
from tests.chaos.storm.faults import beside
from tests.shop import Shop, running_shop

OPEN, DUE, BEATS = 100_000, 1000, (1, 3)
MANY = (1_000, 10_000, 100_000, 1_000_000)  # open orders, for the cost of a sweep that finds nothing
BEAT = [sys.executable, "-m", "celery", "--quiet", "-A", "quantasneaks", "beat"]

# Orders that wait for their payment, as the workflow would have left them, made by the thousand.
MAKE = """
WITH numbers AS (SELECT generate_series(%(first)s::int, %(last)s::int) AS n),
drops AS (SELECT max(id) AS id FROM orders_drop),
pairs AS (
    INSERT INTO orders_pair (drop_id, number, size, state)
    SELECT drops.id, 1000 + n, 12, 'held' FROM numbers, drops RETURNING id, number
),
made AS (
    INSERT INTO orders_order (public_id, state, outcome, created_at, updated_at, drop_id, pair_id, pair_number, size,
        undo, email, customer_key, name, line1, line2, city, postcode, country, phone, claim_digest, level,
        score_degraded)
    SELECT gen_random_uuid(), 'awaiting_payment', '', now(), now(), drops.id, pairs.id, pairs.number, 12,
        '{release_pair,return_money}', 'c' || pairs.number || '@example.org', 'c' || pairs.number || '@example.org',
        'Ada', '1 Road', '', 'X', '12345', 'US', '', repeat('0', 64), '', false
    FROM pairs, drops RETURNING number, pair_number
),
payments AS (
    INSERT INTO orders_payment (order_id, amount, currency, expires_at, session_ref, url, intent_ref, state, captured,
        refunded, card_fingerprint, updated_at)
    SELECT number, 29900, 'usd', now() + interval '1 day', 'unpaid_' || number, '', '', 'open', 0, 0, '', now()
    FROM made
),
told AS (
    INSERT INTO orders_event (order_id, at, what, state, outcome, actor, who, cause, data)
    SELECT number, now(), 'payment page opened', 'awaiting_payment', '', 'worker', '', '', '{}' FROM made
)
INSERT INTO orders_callback (order_id, kind, opened_at, deadline_at, resolution)
SELECT number, 'payment', now(), now() + interval '1 day' + n * interval '1 second', ''
FROM made JOIN numbers ON pair_number = 1000 + n
"""
PASS = """
UPDATE orders_callback SET deadline_at = statement_timestamp() + interval '3 seconds'
WHERE id IN (SELECT id FROM orders_callback WHERE resolved_at IS NULL AND picked_up_at IS NULL ORDER BY id LIMIT %s)
RETURNING order_id
"""
STATES = "SELECT count(*) FROM orders_order WHERE number = ANY(%s) AND state = 'compensated'"
LATENESS = """
SELECT extract(epoch FROM picked_up_at - deadline_at)::float FROM orders_callback
WHERE order_id = ANY(%s) AND kind = 'payment'
"""


def runs() -> list[Run]:
    """One run for each number of beats."""
    with running_shop(DJANGO_SETTINGS_MODULE="tests.bench.workflow.settings") as shop, connect(shop) as connection:
        make(connection, 1, OPEN)
        return [one(shop, connection, beats) for beats in BEATS for _ in range(2)]


def one(shop: Shop, connection: psycopg.Connection, beats: int) -> Run:
    with ExitStack() as stack:
        for _ in range(beats - 1):
            stack.enter_context(beside(shop, BEAT))
        time.sleep(5 if beats > 1 else 0)  # they take a while to begin
        orders = [number for (number,) in connection.execute(PASS, [DUE]).fetchall()]
        time.sleep(3)
        begun = time.monotonic()
        while (connection.execute(STATES, [orders]).fetchone() or (0,))[0] < DUE:
            assert time.monotonic() < begun + 300, "the orders whose deadlines passed were never undone"
            time.sleep(0.2)
        seconds = time.monotonic() - begun
    late = [lateness for (lateness,) in connection.execute(LATENESS, [orders]).fetchall()]
    return {
        "beats": beats,
        "picked up late, p50 s": percentile(late, 0.5),
        "picked up late, p99 s": percentile(late, 0.99),
        "undone/s": DUE / seconds,
    }


def sweeps() -> list[Run]:
    """What a sweep that finds nothing due costs, by the number of orders that wait; and its plan."""
    found: list[Run] = []
    with running_shop(DJANGO_SETTINGS_MODULE="tests.bench.workflow.settings") as shop, connect(shop) as connection:
        made = 0
        for many in MANY:
            make(connection, made + 1, many)
            made = many
            connection.execute("VACUUM ANALYZE orders_callback, orders_order, orders_work")
            told = subprocess.run(
                [sys.executable, "-m", "tests.bench.sweeping"], env=shop.env, capture_output=True, text=True, check=True
            )
            milliseconds, plan = told.stdout.split("\n", 1)
            found.append({"orders that wait": many, "ms for a sweep": float(milliseconds)})
        print(plan, plot(found), sep="\n", flush=True)
    return found


def plot(found: list[Run]) -> str:
    """Cost against the number of orders that wait; the longest bar is the dearest."""
    most = max(run["ms for a sweep"] for run in found)
    return "\n".join(
        f"{run['orders that wait']:>10.0f} wait | {'#' * round(50 * run['ms for a sweep'] / most)} "
        f"{run['ms for a sweep']:.2f} ms"
        for run in found
    )


def make(connection: psycopg.Connection, first: int, last: int) -> None:
    for start in range(first, last + 1, 10_000):
        connection.execute(MAKE, {"first": start, "last": min(last, start + 9_999)})


def connect(shop: Shop) -> psycopg.Connection:
    return psycopg.connect(f"postgresql://postgres@/quantasneaks?host={shop.folder / 'run'}", autocommit=True)
