"""Claims that are accepted, claims that are refused, and looks at an order; ours and the least, in turn."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import psycopg

from tests.bench.doors.load import Answers, get, post, send
from tests.bench.figures import Run, percentile
from tests.chaos.storm.faults import frozen, living
from tests.shop import Shop, running_shop

CONNECTIONS, TURN, CLAIMS, REFUSALS, LOOKS, RUNS = 16, 100, 1200, 1500, 3000, 3
WHO_WORKS_BEHIND = ("-n worker@", "-n mailer@", "manage.py relay")  # they are measured elsewhere

# Of the least views.
TABLES = """
CREATE TABLE bench_pair (id serial PRIMARY KEY, size numeric NOT NULL, state text NOT NULL DEFAULT 'on_sale');
CREATE INDEX ON bench_pair (size, id) WHERE state = 'on_sale';
CREATE TABLE bench_order (id serial PRIMARY KEY, pair int, email text, name text, line1 text, city text, postcode text);
CREATE TABLE bench_event (id serial PRIMARY KEY, bench_order int, what text);
"""


def claims() -> list[Run]:
    """Behind the door nobody works meanwhile: what an order costs after its claim is the workflow's figure."""
    with running_shop(DJANGO_SETTINGS_MODULE="tests.bench.doors.settings") as shop:
        prepare(shop)
        with still(shop):
            rush(shop, "warm", 200)
            return [one(shop, str(run)) for run in range(RUNS)]


def one(shop: Shop, run: str) -> Run:
    ours, least = rush(shop, run, CLAIMS)
    with frozen(living(shop, "valkey")):
        without_redis, _ = rush(shop, f"{run} without Redis", CLAIMS)
    refused = send(shop.base, [post("/orders/", form(f"late {run} {n}", "13")) for n in range(REFUSALS)], CONNECTIONS)
    least_refused = send(shop.base, [post("/bench/refuse/", form("late", "13"))] * REFUSALS, CONNECTIONS)
    assert set(refused.statuses) == {409}, refused.statuses
    assert set(least_refused.statuses) == {409}, least_refused.statuses
    return {
        **figures("accepted", ours, least),
        "accepted p99 ms, Redis frozen": 1000 * percentile(without_redis.took, 0.99),
        **figures("refused", refused, least_refused),
    }


def rush(shop: Shop, run: str, count: int) -> tuple[Answers, Answers]:
    """Claims that all find a pair, at our door and at the least one, by turns: a machine's pace changes in seconds."""
    ours, least = Answers(), Answers()
    for first in range(0, count, TURN):
        who = [form(f"{run} {n}") for n in range(first, min(first + TURN, count))]
        ours += send(shop.base, [post("/orders/", each) for each in who], CONNECTIONS)
        least += send(shop.base, [post("/bench/claim/", each) for each in who], CONNECTIONS)
    assert set(ours.statuses) == set(least.statuses) == {201}, (ours.statuses, least.statuses)
    return ours, least


def figures(what: str, ours: Answers, least: Answers) -> Run:
    return {
        f"{what}/s": ours.rate,
        f"{what}/s, the least": least.rate,
        f"{what}, % of the least": 100 * ours.rate / least.rate,
        f"{what} p99 ms": 1000 * percentile(ours.took, 0.99),
        f"{what} p99 ms, the least": 1000 * percentile(least.took, 0.99),
    }


def polls() -> list[Run]:
    """An order's status, changed (200) and unchanged (304), beside a bare view of the same row."""
    with running_shop(DJANGO_SETTINGS_MODULE="tests.bench.doors.settings") as shop:
        order = shop.placed()
        etag = shop.http.get(f"/orders/{order}/status").headers["ETag"]
        with still(shop):
            return [look(shop, order, etag) for _ in range(RUNS)]


def look(shop: Shop, order: str, etag: str) -> Run:
    least = send(shop.base, [get(f"/bench/status/{order}")] * LOOKS, CONNECTIONS)
    changed = send(shop.base, [get(f"/orders/{order}/status")] * LOOKS, CONNECTIONS)
    same = send(shop.base, [get(f"/orders/{order}/status", etag)] * LOOKS, CONNECTIONS)
    assert (set(least.statuses), set(changed.statuses), set(same.statuses)) == ({200}, {200}, {304})
    return {
        "looks/s, the least": least.rate,
        "looks/s, 200": changed.rate,
        "looks/s, 304": same.rate,
        "200, % of the least": 100 * changed.rate / least.rate,
        "304, % of the least": 100 * same.rate / least.rate,
        "p99 ms, 200": 1000 * percentile(changed.took, 0.99),
    }


def form(who: str, size: str = "9") -> bytes:
    words = {"size": size, "email": f"{who.replace(' ', '.')}@example.org", "name": "Ada Example", "line1": "1 Road"}
    return json.dumps(words | {"city": "Springfield", "postcode": "12345", "country": "US"}).encode()


@contextmanager
def still(shop: Shop) -> Iterator[None]:
    """The processes behind the door do not move."""
    with ExitStack() as stack:
        for part in WHO_WORKS_BEHIND:
            process = living(shop, part)
            for each in [process, *process.children()]:
                stack.enter_context(frozen(each))
        yield


def prepare(shop: Shop) -> None:
    """A drop with pairs enough, one size of it sold out, and the same for the least."""
    pairs = 2 * (200 + RUNS * 2 * CLAIMS)
    opened = shop.manage(
        *("open_drop", "Bench", "--price", "29900", "--size", f"9={pairs}", "--size", "13=1"),
        *("--opens", datetime.now(UTC).isoformat(), "--closes", "2100-01-01T00:00:00Z"),
    )
    assert opened.returncode == 0, opened.stderr
    assert shop.claim(size="13").status_code == 201
    with psycopg.connect(f"postgresql://postgres@/quantasneaks?host={shop.folder / 'run'}") as connection:
        connection.execute(TABLES)
        connection.execute("INSERT INTO bench_pair (size) SELECT 9 FROM generate_series(1, %s)", [pairs])
    time.sleep(1)  # the one order's first steps
