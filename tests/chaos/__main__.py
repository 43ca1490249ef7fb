"""`make chaos`: generated schedules of the money, then a storm over the running shop; `ARGS=storm` for one of them."""

import subprocess
import sys

from tests.chaos import schedules


def main() -> int:
    parts = sys.argv[1:] or ["schedules", "storm"]
    broken = False
    if "schedules" in parts:
        broken |= schedules.main() != 0
    if "storm" in parts:
        storm = [sys.executable, "-m", "tests.chaos.storm", "--seed", str(schedules.SEED)]
        broken |= subprocess.run(storm, check=False).returncode != 0
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
