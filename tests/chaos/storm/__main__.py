"""`python -m tests.chaos.storm --customers 2000 --faults 300 --seed 1`; ends with 1 where anything was violated."""

import argparse
import os
import subprocess
import sys

from tests.chaos.storm.run import storm

# The mails get a disk of their own that can be full, in a mount namespace that ends with this process.
APART = ["unshare", "--mount", "--propagation", "private"]
IS_APART = "QS_STORM_IS_APART"


def main() -> int:
    parser = argparse.ArgumentParser(prog="storm")
    parser.add_argument("--customers", type=int, default=2000, help="at least; they come until the faults are over")
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    disk = IS_APART in os.environ
    if not disk and may_mount():
        command = [*APART, sys.executable, "-m", "tests.chaos.storm", *sys.argv[1:]]
        os.execvpe(command[0], command, os.environ | {IS_APART: "1"})
    report = storm(seed=asked.seed, customers=asked.customers, strikes=asked.faults, disk=disk)
    print(report.table())
    if not disk:
        print("left out: the full disk; that needs root and the right to mount")
    return int(bool(report.violations))


def may_mount() -> bool:
    try:
        tried = subprocess.run([*APART, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    except FileNotFoundError:  # no Linux
        return False
    return tried.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
