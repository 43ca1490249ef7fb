"""What the score costs: an order of a sale, all links worked out anew, and a file of raw orders.

Invented sales (tests/sales.py), a fifth of each one operator's. All of a sale's claims are there before the first is
scored, as after a rush.
"""

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

from quantasneaks.paths import DataDir
from tests.bench.figures import Run, milliseconds
from tests.servers import start, stop

if TYPE_CHECKING:
    from orders.models import Drop
    from tests.sales import Entry

SALES, LINKED, RAW = (500, 5_000), 50_000, 10_000
# Everybody has the year's most popular phone: thousands of orders share a fingerprint.
PHONE = {
    "timezone": "America/New_York",
    "languages": ["en-US"],
    "platform": "iPhone",
    "touch": True,
    "screen": [390, 844],
}


def runs() -> list[Run]:
    """On servers of their own: nobody else works meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="qs-bench-"))
    env = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    env["QS_DATA_DIR"] = str(folder)
    servers = start(DataDir(folder))
    try:
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=env, check=True)
        told = subprocess.run(
            [sys.executable, "-m", "tests.bench.scoring"], env=env, stdout=subprocess.PIPE, text=True, check=True
        )
    finally:
        stop(servers, folder)
    return [json.loads(told.stdout)]


def main() -> None:
    django.setup()
    import tests.life  # noqa: F401

    gc.freeze()  # a worker has none of what the bench loads beside the shop, and looks through none of it for garbage
    run: Run = {}
    for claims in SALES:
        run |= sale(claims)
    print(json.dumps(run | {f"rebuild {LINKED} links, s": rebuilt(), f"score_orders of {RAW}, s": scored_from_file()}))


def invented(claims: int) -> "list[Entry]":
    from tests.sales import invented_sale

    sale = invented_sale(claims, "mixed", customers=claims - claims // 5, orders=claims // 5)
    return [replace(entry, signals=entry.signals | {"client": PHONE}) for entry in sale]


def sale(claims: int) -> Run:
    from django.db import connection

    from orders import clock
    from orders.models import Order
    from orders.risk.score import score_order
    from tests.life import open_drop

    drop = open_drop({"9": claims})
    numbers = [placed(drop, entry) for entry in invented(claims)]
    now, took = clock.now(), list[float]()
    asked = list[int]()  # queries of each order

    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        asked[-1] += "set_config" not in sql  # it asks nothing
        return execute(sql, *rest)

    for number in numbers:
        order = Order.objects.get(number=number)
        asked.append(0)
        with connection.execute_wrapper(count):
            begun = time.perf_counter()
            score = score_order(order, now)
            took.append(time.perf_counter() - begun)
        assert not score.degraded, score.cause
    return milliseconds(took, f"score of {claims}, ") | {f"queries for a score of {claims}": statistics.mean(asked)}


def placed(drop: "Drop", entry: "Entry") -> int:
    from tests.life import place

    return place(drop, entry.claim, signals=entry.signals).number


def raw_orders(claims: int) -> list[dict[str, Any]]:
    """As the contract's file has them."""
    from orders import clock

    begun = clock.now()
    return [
        {**entry.signals, "id": str(number), "at": begun.isoformat(), "form": asdict(entry.claim) | {"size": "9"}}
        for number, entry in enumerate(invented(claims))
    ]


def rebuilt() -> float:
    """Seconds of the whole of `rebuild`, on orders that are not linked yet."""
    from django.db import transaction

    from orders import clock
    from orders.models import ClaimSignals
    from orders.risk import links
    from orders.risk.replay import RawOrder, RollBack, written

    with suppress(RollBack), transaction.atomic():
        written([RawOrder.read(raw, before=clock.now()) for raw in raw_orders(LINKED)])
        ClaimSignals.objects.update(link=None)
        begun = time.perf_counter()
        assert links.rebuild()
        seconds = time.perf_counter() - begun
        raise RollBack
    return seconds


def scored_from_file() -> float:
    """Seconds of the command, its reading and writing included."""
    from django.core.management import call_command

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "orders.jsonl"
        file.write_text("\n".join(json.dumps(raw) for raw in raw_orders(RAW)))
        begun = time.perf_counter()
        with (Path(folder) / "scores.jsonl").open("w") as out:
            call_command("score_orders", str(file), stdout=out)
        return time.perf_counter() - begun


if __name__ == "__main__":
    main()
