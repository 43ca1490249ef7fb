"""Real servers for the tests: a PostgreSQL and a Valkey of their own, started before Django reads its settings.

With DATABASE_URL and REDIS_URL set, those are used instead.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from quantasneaks import embedded
from quantasneaks.paths import DataDir
from quantasneaks.running.processes import stop_with_parent


def start(data: DataDir) -> list[subprocess.Popen[bytes]]:
    """Both servers, answering. They end with this process."""
    embedded.prepare(data)
    quiet = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "start_new_session": True,
        "preexec_fn": stop_with_parent,  # also when this process is killed
    }
    servers = [
        subprocess.Popen(embedded.postgres_command(data), cwd="/", **quiet, **embedded.postgres_user()),  # type: ignore[call-overload]
        subprocess.Popen(embedded.valkey_command(data), **quiet),  # type: ignore[call-overload]
    ]
    deadline = time.monotonic() + 30
    while True:
        try:
            embedded.create_database(data)
            if data.valkey_socket.exists():
                return servers
        except psycopg.OperationalError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"the test servers in {data.root} did not start")
        time.sleep(0.05)


def stop(servers: list[subprocess.Popen[bytes]], folder: Path) -> None:
    for server in servers:
        server.send_signal(signal.SIGINT)
    for server in servers:
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    folder = Path(tempfile.mkdtemp(prefix="qs-test-"))
    data = DataDir(folder)
    os.environ["QS_DATA_DIR"] = str(folder)
    if "DATABASE_URL" not in os.environ or "REDIS_URL" not in os.environ:
        servers = start(data)
        atexit.register(stop, servers, folder)
