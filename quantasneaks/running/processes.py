"""What Linux can do so that no process is left behind; elsewhere these do nothing."""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else lambda *_: 0  # loaded before any fork


def stop_with_parent() -> None:
    """Called in a new process: it is to stop, as on Ctrl-C, when the supervisor is killed outright."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def adopt_orphans() -> None:
    """From now on a process whose parent was killed becomes our child instead of init's."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def children() -> set[int]:
    """Our direct children, adopted ones included."""
    if sys.platform != "linux":
        return set()
    return {int(pid) for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()}


def make_was_interrupted() -> bool:
    """Whether our parent is a `make` that was told to end by SIGINT sent to it alone.

    GNU make passes SIGTERM on, but counts on the terminal for SIGINT: it blocks the signal and waits for us to end.
    """
    try:
        status = Path(f"/proc/{os.getppid()}/status").read_text()
    except OSError:
        return False
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return fields["Name"] == "make" and bool(int(fields["SigBlk"], 16) & 1 << signal.SIGINT - 1)


def kill_all() -> None:
    """Kill every child that is left, and theirs as they become ours. Comes back when none is left."""
    while left := children():
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for pid in left:
            os.waitpid(pid, 0)
