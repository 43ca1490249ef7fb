"""Brings .venv to the state of a pinned requirements file; does nothing when it is there already.

Run by `make` with whatever Python it found, before anything is installed: standard library only.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
STATE = VENV / "requirements.sha256"
UV = "uv==0.13.9"


def main(wanted: str) -> str | None:
    """Returns the one line that says why it is impossible, or nothing."""
    with Path(".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make run` side by side install once
        # The development set holds all of the others, so it serves for them too.
        enough = {digest(wanted), digest("requirements-dev.txt")}
        if succeeds(PYTHON, "-c", "") and STATE.exists() and STATE.read_text() in enough:
            return None
        sys.stderr.write(f"installing {wanted} into {VENV}\n")
        if not succeeds(PYTHON, "-m", "pip", "--version") and not succeeds(
            sys.executable, "-m", "venv", "--clear", VENV
        ):
            return "Python's venv module cannot make .venv; on Debian: apt install python3-venv"
        STATE.unlink(missing_ok=True)
        pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        with_uv = succeeds(*pip, UV) and succeeds(
            VENV / "bin" / "uv", "pip", "sync", "--quiet", "--require-hashes", "--python", PYTHON, wanted
        )
        # uv does not read pip's configuration: where only pip knows the way to an index, pip goes.
        if not with_uv and not succeeds(*pip, "--require-hashes", "--requirement", wanted, quiet=False):
            return f"{wanted} could not be installed: is a package index reachable?"
        STATE.write_text(digest(wanted))
    return None


def digest(requirements: str) -> str:
    return hashlib.sha256(Path(requirements).read_bytes()).hexdigest()


def succeeds(*command: object, quiet: bool = True) -> bool:
    output = subprocess.DEVNULL if quiet else None
    try:
        return subprocess.run([str(part) for part in command], stdout=output, stderr=output).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    problem = main(sys.argv[1])
    sys.exit(f"quantasneaks: {problem}" if problem else None)
