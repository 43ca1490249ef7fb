"""`make bench`: what the shop costs and how fast it is, each figure with min, median and max of its runs.

`make bench ARGS="webhooks"` runs the named parts only. All figures go to bench.json too.
"""

import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import deadlines, desk, resting, scoring, webhooks
from tests.bench.doors import runs as doors
from tests.bench.figures import Part, Run
from tests.bench.workflow import runs as workflow

PARTS: dict[str, Callable[[], list[Run]]] = {
    "workflow": workflow.runs,
    "claims": doors.claims,
    "polls": doors.polls,
    "webhooks": webhooks.runs,
    "deadlines": deadlines.runs,
    "sweeps": deadlines.sweeps,
    "score": scoring.runs,
    "desk": desk.runs,
    "idle": resting.idle,
    "memory": resting.memory,
}
RESULT = Path("bench.json")


def main() -> int:
    names = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        print(f"no part {unknown[0]!r}; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}", flush=True)
    parts = []
    for name in names:
        part = Part(name, PARTS[name]())
        print(part.table(), flush=True)
        parts.append(part)
    RESULT.write_text(json.dumps({part.name: {"runs": part.runs, **part.figures()} for part in parts}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
