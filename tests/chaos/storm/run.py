"""A storm from its first customer to its last order, and what it showed."""

import json
import random
import threading
import time
from collections import Counter, defaultdict
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.bench.figures import percentile
from tests.chaos.storm import faults
from tests.chaos.storm.effects import MailBox, differences
from tests.chaos.storm.people import MOST, Crowd
from tests.chaos.storm.watch import GIVEN_UP, Watch
from tests.processes import until
from tests.shop import Shop, running_shop

AT_ONCE = 36  # customers
ENOUGH_IN_FLIGHT = 20  # orders, for a fault to strike
SETTINGS = {"QS_PAYMENT_TIMEOUT": "60", "QS_APPROVAL_TIMEOUT": "60"}
QUIET_WITHIN = 180.0  # seconds after the last customer has left


@dataclass
class Report:
    """What a storm showed. Recoveries are in seconds, one for each step that met a fault."""

    seed: int
    orders: int = 0
    shipped: int = 0
    seconds: float = 0.0
    in_flight: list[int] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    violations: list[str] = field(default_factory=list)

    def of(self, *names: str) -> list[float]:
        """Recoveries from these faults."""
        return [each for name in names for each in self.recoveries[name]]

    def table(self) -> str:
        faults_struck = sum(self.struck.values())
        lines = [f"{'fault':34}{'times':>6}{'steps met':>11}{'p50 s':>8}{'p99 s':>8}{'max s':>8}"]
        rows = [(name, times, self.of(name)) for name, times in sorted(self.struck.items())]
        rows.append(("all", faults_struck, self.of(*self.struck)))
        for name, times, took in rows:
            shown = [percentile(took, 0.5), percentile(took, 0.99), max(took)] if took else []
            lines.append(f"{name:34}{times:6}{len(took):11}" + "".join(f"{each:8.2f}" for each in shown))
        lines.append(
            f"{self.orders} orders, {self.shipped} shipped, {faults_struck} faults in {self.seconds:.0f} s (seed"
            f" {self.seed}); in flight at a fault: {min(self.in_flight, default=0)} to {max(self.in_flight, default=0)}"
        )
        lines += [f"VIOLATION: {text}" for text in self.violations] or ["violations: none"]
        return "\n".join(lines)


def storm(*, seed: int, customers: int, strikes: int, disk: bool) -> Report:
    """Play it. The same seed gives the same customers and the same faults in the same order.

    `disk`: whether this process may mount one that can be full.
    """
    dice, report = random.Random(seed), Report(seed)
    begun = time.monotonic()
    with running_shop(**SETTINGS) as shop, faults.own_disk(shop) if disk else nullcontext():
        open_drop(shop, pairs=MOST)
        crowd, box = Crowd(shop, customers, AT_ONCE, seed), MailBox(shop.folder / "mails")
        watch = Watch(shop, box.look)
        coming = threading.Thread(target=crowd.come, daemon=True)
        coming.start()
        for fault in faults.schedule(seed, strikes, disk=disk):
            until(lambda: watch.in_flight >= ENOUGH_IN_FLIGHT or crowd.done.is_set(), "orders in flight", within=120)
            if crowd.done.is_set():
                break
            report.in_flight.append(watch.in_flight)
            fault.strike(shop, dice)
            report.struck[fault.name] += 1
            took = watch.recoveries(time.monotonic())
            report.recoveries[fault.name] += took
            if stranded := sum(seconds >= GIVEN_UP for seconds in took):
                report.violations.append(f"{fault.name}: {stranded} steps did not move on within {GIVEN_UP:.0f} s")
            print(
                f"{time.monotonic() - begun:6.0f} s  {fault.name}: {len(took)} met, {max(took, default=0):.2f} s",
                flush=True,
            )
            time.sleep(dice.uniform(0, 1))
        crowd.enough.set()
        coming.join()
        quiet_by = time.monotonic() + QUIET_WITHIN
        while watch.rows and time.monotonic() < quiet_by:
            time.sleep(0.1)
        watch.stop()
        box.look()
        audit = shop.manage("audit", "--json")
        told = json.loads(audit.stdout)
        report.violations += [*told["violations"], *differences(shop, crowd), *box.twice]
        if audit.returncode != 0 and not told["violations"]:
            report.violations.append(f"audit ended with {audit.returncode}")
        report.orders, report.shipped = len(crowd.orders), crowd.shipped
    report.seconds = time.monotonic() - begun
    return report


def open_drop(shop: Shop, *, pairs: int) -> None:
    done = shop.manage(
        *("open_drop", "Storm", "--price", "29900", "--size", f"9={pairs}"),
        *("--opens", datetime.now(UTC).isoformat(), "--closes", "2100-01-01T00:00:00Z"),
    )
    assert done.returncode == 0, done.stderr
