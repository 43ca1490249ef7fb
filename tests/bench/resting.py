"""A shop that waits costs nearly nothing, and one that has worked for long is no larger than before."""

import time

import psutil
import psycopg

from tests.bench.deadlines import connect, make
from tests.bench.figures import Run
from tests.bench.meter import cpu_seconds, kind
from tests.bench.workflow.runs import drive
from tests.processes import of_folder
from tests.shop import Shop, running_shop

WAITING, SECONDS, IDLE_RUNS = 500, 30, 3
ORDERS = 20_000
MEGABYTE = 1024 * 1024


def idle() -> list[Run]:
    """500 orders wait for their payment, nobody comes: transactions a second in all, nearly each of one query, and CPU.

    Without the embedded provider, whose courier and clock are no part of a shop that takes money.
    """
    stripe = {"PAYMENT_PROVIDER": "stripe", "STRIPE_API_KEY": "sk_test_none", "STRIPE_WEBHOOK_SECRET": "whsec_none"}
    with running_shop(DJANGO_SETTINGS_MODULE="tests.bench.workflow.settings", **stripe) as shop:
        with connect(shop) as connection:
            make(connection, 1, WAITING)
            connection.execute("VACUUM ANALYZE")  # or autovacuum does it while we count
        time.sleep(5)
        with connect(shop) as connection:  # another one: what the first did is counted when it ends
            return [one(shop, connection) for _ in range(IDLE_RUNS)]


def one(shop: Shop, connection: psycopg.Connection) -> Run:
    before, cpu = commits(connection), cpu_of(shop)
    time.sleep(SECONDS)
    return {
        "transactions/s": (commits(connection) - before) / SECONDS,
        "CPU, % of a core": 100 * (cpu_of(shop) - cpu) / SECONDS,
    }


def commits(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = 'quantasneaks'").fetchone()
    assert row
    return int(row[0])


def cpu_of(shop: Shop) -> float:
    return sum(cpu_seconds(pid) for pid in of_folder(shop.folder))


def memory() -> list[Run]:
    """Megabytes of each process after a few orders and after 20,000 more."""
    with running_shop(DJANGO_SETTINGS_MODULE="tests.bench.workflow.settings") as shop:
        drive(shop, 500, 32)
        before = megabytes(shop)
        drive(shop, ORDERS, 32)
        after = megabytes(shop)
    run: Run = {}
    for name in sorted(before.keys() & after.keys()):
        run |= {f"{name}, before": before[name], f"{name}, after": after[name]}
    return [run]


def megabytes(shop: Shop) -> dict[str, float]:
    """Of the largest process of each kind, without PostgreSQL's: theirs is shared memory that fills up."""
    found: dict[str, float] = {}
    for pid, command in of_folder(shop.folder).items():
        if (name := kind(command)) != "PostgreSQL":
            found[name] = max(found.get(name, 0.0), psutil.Process(pid).memory_info().rss / MEGABYTE)
    return found
