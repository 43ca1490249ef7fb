"""Before anything starts: is the place free? One shop in a data folder, and nobody else on its ports."""

import errno
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import TextIO

from django.conf import settings

from quantasneaks.running.trouble import Trouble

LEFTOVERS_END = 15.0  # seconds; how long the processes of a killed run may take to stop


def lock(folder: Path) -> TextIO:
    """Take the data folder. Held until the file is closed, or this process dies.

    The file holds our process id until we end in order, so that the next run knows whether somebody was killed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = (folder / "lock").open("a+")
    except OSError as error:
        raise Trouble(f"QS_DATA_DIR: {folder} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.seek(0)
        raise Trouble(f"{folder} is in use by another shop (process {held.read().strip()})") from None
    return held


def check_ports(held: TextIO) -> None:
    """Both ports are free, or become so while the processes of a killed run end."""
    if settings.PORT == settings.FLOWER_PORT:
        raise Trouble(f"PORT and FLOWER_PORT are both {settings.PORT}")
    held.seek(0)
    killed_before = bool(held.read())
    deadline = time.monotonic() + (LEFTOVERS_END if killed_before else 0)
    for name in ("PORT", "FLOWER_PORT"):
        while why := _why_not(settings.BIND, getattr(settings, name)):
            if time.monotonic() > deadline:
                raise Trouble(f"{name}: {settings.BIND}:{getattr(settings, name)} cannot be used: {why}")
            time.sleep(0.2)


def sign(held: TextIO, text: str) -> None:
    """Write who holds the folder; nothing when we leave in order."""
    held.truncate(0)
    held.write(text)
    held.flush()


def _why_not(host: str, port: int) -> str:
    """Why this address cannot be listened on, or nothing."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return "another program uses this port" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0)
    except OverflowError:
        return "a port is between 1 and 65535"
    return ""
