"""`python -m tests.chaos.storm --customers 2100 --faults 300 --seed 1`; ends with 1 where anything was violated.

A fault needs a disk that can be full, so this runs as root, in a mount namespace of its own.
"""

import argparse
import os
import sys

from tests.chaos.storm.run import storm

APART = "QS_STORM_APART"


def main() -> int:
    parser = argparse.ArgumentParser(prog="storm")
    parser.add_argument("--customers", type=int, default=2100)
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if APART not in os.environ:
        command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.chaos.storm"]
        os.execvpe(command[0], [*command, *sys.argv[1:]], os.environ | {APART: "1"})
    report = storm(seed=asked.seed, customers=asked.customers, strikes=asked.faults)
    print(report.table())
    return int(bool(report.violations))


if __name__ == "__main__":
    sys.exit(main())
