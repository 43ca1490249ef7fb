"""Orders a second, latency and cost of an order, alone and with 32 in flight."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass

import psycopg

from tests import stack
from tests.bench.figures import Run, percentile
from tests.bench.meter import Reading
from tests.shop import Shop, running_shop

ORDERS, IN_FLIGHT, ALONE, RUNS = 500, 32, 100, 3


def runs() -> list[Run]:
    with running_shop(DJANGO_SETTINGS_MODULE="tests.bench.workflow.settings") as shop:
        drive(shop, 50, 8)  # warms caches and connections
        return [one(shop) for _ in range(RUNS)]


def one(shop: Shop) -> Run:
    checkpoint(shop)
    before, driver = Reading.of(shop), cpu_of_children()
    told = drive(shop, ORDERS, IN_FLIGHT)
    time.sleep(2)  # the last mails; idle sessions report their counts
    after, driver = Reading.of(shop), cpu_of_children() - driver
    alone = [1000 * each for each in drive(shop, ALONE, 1).took]
    crowd = [1000 * each for each in told.took]
    cpu = {name: after.cpu[name] - before.cpu.get(name, 0) for name in after.cpu}
    cpu |= {"driver": told.cpu, "driver's start": driver - told.cpu}  # once for all orders
    shops = sum(cpu.values())
    return {
        "orders/s": ORDERS / told.seconds,
        "p50 ms, 32 in flight": percentile(crowd, 0.5),
        "p99 ms, 32 in flight": percentile(crowd, 0.99),
        "p50 ms, alone": percentile(alone, 0.5),
        "p99 ms, alone": percentile(alone, 0.99),
        "write transactions/order": (after.write_transactions - before.write_transactions) / ORDERS,
        "commits/order": (after.commits - before.commits) / ORDERS,
        "WAL bytes/order": (after.wal_bytes - before.wal_bytes) / ORDERS,
        "messages/order": (after.messages - before.messages) / ORDERS,
        "CPU ms/order": 1000 * shops / ORDERS,
        **{f"CPU ms/order, {name}": 1000 * seconds / ORDERS for name, seconds in sorted(cpu.items())},
        "cores used by others": (after.machine - before.machine - shops) / (told.seconds + 2),
    }


@dataclass(frozen=True)
class Driven:
    """Seconds: of each order, of all, and of CPU in the driver."""

    took: list[float]
    seconds: float
    cpu: float


def drive(shop: Shop, orders: int, in_flight: int) -> Driven:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.workflow.drive", str(orders), str(in_flight)],
        cwd=stack.ROOT,
        env=shop.env,
        stdout=subprocess.PIPE,
        check=True,
    )
    return Driven(**json.loads(done.stdout))


def cpu_of_children() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def checkpoint(shop: Shop) -> None:
    """Each run begins with the same debt."""
    with psycopg.connect(f"postgresql://postgres@/postgres?host={shop.folder / 'run'}", autocommit=True) as connection:
        connection.execute("CHECKPOINT")
