"""`make run`: the whole shop on one machine, from `python -m quantasneaks.run [--external]`."""

import os
import signal
import subprocess
import sys
from types import FrameType

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from quantasneaks.paths import DataDir
from quantasneaks.running.trouble import Trouble

NOT_NEWS = (  # warnings that are right elsewhere and only noise here
    "ignore:No directory at",  # the demo serves its static files from the source tree
    "ignore:You're running the worker with superuser privileges",
)


def main(arguments: list[str]) -> str | None:
    """Returns what sys.exit takes: nothing, or the one line that says why the shop cannot run."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantasneaks.settings")
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_to_stop, leave)  # until the supervisor takes over
    try:
        why = run(external="--external" in arguments)
    except Trouble as trouble:
        why = str(trouble)
    return f"quantasneaks: {why}" if why else None


def leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(0)


def run(*, external: bool) -> str:
    """Returns when everything has stopped: why it failed, or nothing."""
    read_settings()
    from quantasneaks.running import opening, place, processes, programs, supervisor

    if external and (programs.embedded_database() or programs.embedded_broker()):
        missing = "DATABASE_URL" if programs.embedded_database() else "REDIS_URL"
        raise Trouble(f"{missing}: set it to a server that is running, or use `make run`")
    data = settings.DATA_DIR
    with place.lock(data.root) as held:
        place.check_ports(held)
        place.sign(held, str(os.getpid()))
        processes.adopt_orphans()
        try:
            prepare(data)
            os.environ.update(QS_DATA_DIR=str(data.root), PYTHONUNBUFFERED="1", PYTHONWARNINGS=",".join(NOT_NEWS))
            groups = {"servers": programs.servers(), "setup": programs.preparations(), "shop": programs.shop()}
            return supervisor.keep(groups, data.logs, opening.open_shop)
        finally:
            processes.kill_all()
            place.sign(held, "")


def prepare(data: DataDir) -> None:
    """The folders and, the first time, PostgreSQL's files."""
    from quantasneaks import embedded

    try:
        embedded.prepare(data)
    except subprocess.CalledProcessError as error:
        raise Trouble(f"{error.cmd[0]} failed: {' '.join(error.stderr.split())}") from error
    except OSError as error:
        raise Trouble(f"QS_DATA_DIR: {error.filename} cannot be written: {error.strerror}") from error


def read_settings() -> None:
    """Raises Trouble for a setting that cannot be; its message names it."""
    try:
        settings.DATA_DIR  # noqa: B018  # the first look reads them all
    except (ImproperlyConfigured, ValueError) as error:
        raise Trouble(str(error)) from error
    except OSError as error:
        raise Trouble(f"QS_DATA_DIR: {error.filename} cannot be written: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
