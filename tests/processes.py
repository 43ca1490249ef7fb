"""Looking at real processes from outside, through /proc."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T | None], what: str, *, within: float = 60) -> T:
    """The first answer that is true. Fails with what never came."""
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"never came within {within:.0f} s: {what}"
        time.sleep(0.05)
    return answer


def of_folder(folder: Path) -> dict[int, str]:
    """The living processes that belong to a data folder, with their command lines.

    The shop's processes carry it in their environment, the embedded servers on their command line, and PostgreSQL's
    children stand in it.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):  # gone meanwhile, or none of ours
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            environment = (entry / "environ").read_bytes().split(b"\0")
            mine = (
                f"QS_DATA_DIR={folder}".encode() in environment
                or f"{folder}/" in command
                or (entry / "cwd").readlink().is_relative_to(folder)
            )
            if mine and command:  # a zombie has no command line
                found[int(entry.name)] = command
    return found


def children(pid: int) -> dict[int, str]:
    """The direct children of a process, with their command lines."""
    found = {}
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                with suppress(OSError):
                    command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if command:
                        found[int(child)] = command
    return found


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
