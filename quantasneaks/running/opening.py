"""How the shop opens: servers, migrations, the demo, the processes; each step waits until the one before is ready."""

import json
import socket
import time
from collections.abc import Callable
from threading import Thread

import psycopg
import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from quantasneaks import celery_app, checks, embedded, probe
from quantasneaks.running import programs
from quantasneaks.running.programs import Program
from quantasneaks.running.supervisor import Keeper
from quantasneaks.running.trouble import Trouble

READY_WITHIN = 60.0  # seconds
PREPARED_WITHIN = 600.0  # seconds; an upgrade of a large database takes its time
FAR_SERVER_WITHIN = 15.0  # seconds; it runs already, or its URL is wrong
DEATHS_ALLOWED = 4  # until it is said that a process does not start


def open_shop(keeper: Keeper) -> None:
    """Begin to open, beside the supervisor's loop."""
    Thread(target=_open, args=[keeper], daemon=True).start()


def _open(keeper: Keeper) -> None:
    try:
        keeper.start(programs.servers())
        near, far = READY_WITHIN, FAR_SERVER_WITHIN
        _wait(_database, "PostgreSQL", keeper, within=near if programs.embedded_database() else far)
        _wait(_broker, "Valkey", keeper, within=near if programs.embedded_broker() else far)
        for program in programs.preparations():
            _run(program, keeper)
        keeper.start(programs.shop())
        _wait(_shop, "the shop", keeper, within=READY_WITHIN)
        keeper.console.say("shop", "ready")
        keeper.console.show(_welcome())
    except Trouble as trouble:
        keeper.fail(str(trouble))
    except Exception as error:  # a mistake of ours: the shop is not open, so it must not look as if it were
        keeper.fail(f"{type(error).__name__}: {error}")


def _wait(problem: Callable[[], str], name: str, keeper: Keeper, *, within: float) -> None:
    """Until `problem` has nothing to say any more. Raises Trouble with what it said last."""
    deadline = time.monotonic() + within
    while why := problem():
        for program in programs.shop():
            if keeper.deaths[program.name] > DEATHS_ALLOWED:
                raise Trouble(f"{program.name} does not start; see {_log(program)}")
        if time.monotonic() > deadline:
            raise Trouble(f"{name} was not ready within {within:.0f} seconds: {why}")
        time.sleep(0.1)


def _run(program: Program, keeper: Keeper) -> None:
    keeper.start([program])
    deadline = time.monotonic() + PREPARED_WITHIN
    while (code := keeper.exit_code(program)) is None:
        if time.monotonic() > deadline:
            raise Trouble(f"{program.name} did not end within {PREPARED_WITHIN:.0f} seconds; see {_log(program)}")
        time.sleep(0.05)
    if code != 0:
        raise Trouble(f"{program.name} failed; see {_log(program)}")


def _log(program: Program) -> str:
    return str(settings.DATA_DIR.logs / f"{program.name}.log")


def _database() -> str:
    """Why the database cannot be used, in a few words, or nothing."""
    try:
        if programs.embedded_database():
            embedded.create_database(settings.DATA_DIR)
        connection.ensure_connection()
        connection.close()
    except (psycopg.Error, DatabaseError) as error:
        return str(error).strip().splitlines()[-1]
    return ""


def _broker() -> str:
    try:
        checks.broker_client(2).ping()
    except redis.RedisError as error:
        return str(error)
    return ""


def _shop() -> str:
    answer = probe.readyz()
    if answer.get("status") != "ready":
        return f"/readyz says {json.dumps(answer)}"
    try:
        socket.create_connection((probe.reachable(settings.BIND), settings.FLOWER_PORT), timeout=1).close()
    except OSError as error:
        return f"Flower: {error}"
    workers = {program.name for program in programs.shop() if "worker" in program.command}
    replies = celery_app.control.broadcast("ping", reply=True, timeout=1, limit=len(workers))
    heard = {name.split("@")[0] for reply in replies for name in reply}
    silent = sorted(workers - heard)
    return f"no answer from {' and '.join(silent)}" if silent else ""


def _welcome() -> str:
    lines = [
        "",
        f"  Shop         {settings.PUBLIC_URL}/",
        f"  Review desk  {settings.PUBLIC_URL}/admin/review/",
        f"  Admin        {settings.PUBLIC_URL}/admin/",
        f"  Flower       http://{probe.reachable(settings.BIND)}:{settings.FLOWER_PORT}/",
        "",
    ]
    if settings.DEMO:
        lines[-1:] = ["", f"  Log in as staff, staff2 or admin (Flower: ops), password  {settings.STAFF_PASSWORD}", ""]
    return "\n".join([*lines, ""])
