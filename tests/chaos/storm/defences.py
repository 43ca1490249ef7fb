"""`python -m tests.chaos.storm.defences`: take away what the storm is there to prove, one at a time, and let it blow.

Each must be noticed by an order, a customer or the audit; the command ends with 1 where one is not.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.chaos.broken_guards import ROOT, Guard, take_away

STORM = ["-m", "tests.chaos.storm", "--customers", "120", "--faults", "20", "--seed", "1"]
DEFENCES = [
    Guard(
        "a step's row goes in the transaction that records it, not when it is taken up",
        "orders/engine.py",
        "    work.attempts += 1\n    if work.started_at:\n",
        "    Work.objects.filter(pk=work.pk).delete()\n    work.attempts += 1\n    if work.started_at:\n",
    ),
    Guard(
        "a repeated claim is the same claim",
        "orders/workflow.py",
        "        if order := standing.replay(digest):\n            return order\n",
        "",
    ),
    Guard(
        "connections that PostgreSQL broke are dropped",
        "quantasneaks/celery.py",
        "    close_old_connections()\n",
        "    _ = close_old_connections\n",
    ),
    Guard(
        "deadlines are looked for",
        "orders/sweep.py",
        " and pick_up_due_callbacks():\n",
        " and not BATCH:\n",
    ),
    Guard(
        "a dead process is started again",
        "quantasneaks/running/supervisor.py",
        '"false" if program.once else "true"',
        '"false"',
    ),
]


def main() -> int:
    unnoticed = []
    for defence in DEFENCES:
        with tempfile.TemporaryDirectory(prefix="qs-defences-") as folder:
            copy = Path(folder, "shop")
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "var"))
            take_away(defence, copy)
            told = subprocess.run([sys.executable, *STORM], cwd=copy, capture_output=True, text=True, check=False)
        said = [line for line in told.stdout.splitlines() if "VIOLATION" in line] or told.stderr.splitlines()[-1:]
        print(f"{defence.name}: {len(said)} times, first: {said[0] if said else '-'}", flush=True)
        if told.returncode == 0:
            unnoticed.append(defence.name)
    print(f"unnoticed: {', '.join(unnoticed) or 'none'}")
    return int(bool(unnoticed))


if __name__ == "__main__":
    sys.exit(main())
