"""Generated schedules on every core, how often each action met each state, and the named tests of money.

`SCHEDULES` (10,000) and `SEED` (1) may be set; the seed is printed, and with it a run can be repeated.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from orders.states import State

SCHEDULES = int(os.environ.get("SCHEDULES", "10000"))
SEED = int(os.environ.get("SEED", "1"))
ENOUGH = 50  # times that each action must have met each state
TEST = "tests/chaos/test_money_schedules.py"
NAMED = [
    "tests/test_peer_complaints.py",
    "tests/test_money.py",
    "tests/test_order_life.py",
    "tests/test_engine.py",
    "tests/chaos/test_crash_points.py",
]


def main() -> int:
    cores = os.cpu_count() or 1
    hands = 2 * cores  # each waits a good part of its time, for answers that do not come
    print(f"{SCHEDULES} schedules on {cores} cores, seed {SEED}", flush=True)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="qs-chaos-") as folder:
        reports = [Path(folder, f"{hand}.json") for hand in range(hands)]
        runs = [
            subprocess.Popen(
                [sys.executable, "-m", "pytest", "-q", "--show-capture=no", f"--hypothesis-seed={SEED + hand}", TEST],
                env=os.environ
                | {"QS_SCHEDULES": str(-(-SCHEDULES // hands)), "QS_SCHEDULES_REPORT": str(reports[hand])},
            )
            for hand in range(hands)
        ]
        broken = [run.wait() for run in runs] != [0] * hands
        told = [json.loads(report.read_text()) for report in reports if report.exists()]
    met: Counter[tuple[str, str]] = Counter()
    for report in told:
        met.update({(action, state): times for action, state, times in report["met"]})
    show(met)
    played = sum(report["schedules"] for report in told)
    rare = [pair for pair in every_pair(met) if met[pair] < ENOUGH]
    print(f"{played} schedules in {time.monotonic() - begun:.0f} s; {sum(met.values())} meetings of action and order")
    print(f"met fewer than {ENOUGH} times: {', '.join(f'{action} in {state}' for action, state in rare) or 'none'}")
    broken |= subprocess.run([sys.executable, "-m", "pytest", "-q", *NAMED], check=False).returncode != 0
    return int(broken or bool(rare and SCHEDULES >= 10_000))


def every_pair(met: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(action, state) for action in sorted({action for action, _ in met}) for state in State.values]


def show(met: Counter[tuple[str, str]]) -> None:
    print(f"{'':22}" + "".join(f"{state[:17]:>18}" for state in State.values))
    for action in sorted({action for action, _ in met}):
        print(f"{action:22}" + "".join(f"{met[action, state]:18}" for state in State.values))
