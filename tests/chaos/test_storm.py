"""A short storm over the running shop, always the same one; `make chaos` lets it blow for as long as it takes."""

import subprocess
import sys

import pytest

from tests.stack import ROOT

SEED, CUSTOMERS, FAULTS = 6508, 100, 9  # worker, pool process, mailer, beat, Redis, PostgreSQL, a full disk, everything


@pytest.mark.stack
@pytest.mark.chaos
def test_nothing_is_lost_doubled_or_stranded_in_a_storm():
    storm = [sys.executable, "-m", "tests.chaos.storm"]
    storm += ["--seed", str(SEED), "--customers", str(CUSTOMERS), "--faults", str(FAULTS)]
    blown = subprocess.run(storm, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert blown.returncode == 0, blown.stdout + blown.stderr[-3000:]
