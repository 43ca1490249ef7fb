"""`make run`: what it starts, keeps alive, refuses and leaves behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from quantasneaks.running.processes import stop_with_parent
from tests import stack
from tests.deployment import PRODUCTION
from tests.processes import children, kill, of_folder, until
from tests.stack import Shop

pytestmark = pytest.mark.stack

PROCESSES = {
    "postgres": "bin/postgres",
    "valkey": "valkey",
    "web": "-m granian",
    "relay": "manage.py relay",
    "worker": "-n worker@",
    "mailer": "-n mailer@",
    "beat": "quantasneaks beat",
    "flower": "quantasneaks flower",
    "paylab": "manage.py paylab_courier",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with stack.folder_for_a_shop() as folder:
        yield folder


def refused(folder: Path, *arguments: str, **env: str) -> str:
    """Run it until it ends by itself; the one line that it says."""
    port, flower_port = stack.free_ports(2)
    outside = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    run = subprocess.run(
        [sys.executable, "-m", "quantasneaks.run", *arguments],
        cwd=stack.ROOT,
        env={**outside, "QS_DATA_DIR": str(folder), "PORT": str(port), "FLOWER_PORT": str(flower_port), **env},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1, run.stderr
    return run.stderr


def ready(base: str) -> bool:
    try:
        return bool(httpx.get(f"{base}/readyz", timeout=5).json()["status"] == "ready")
    except httpx.TransportError:
        return False


def test_an_order_ships_through_the_processes_that_make_run_starts(shop: Shop) -> None:
    assert stack.buy(shop.base)["status"] == "shipped"


def test_each_line_on_the_screen_names_its_process(shop: Shop) -> None:
    known = {*PROCESSES, "shop", "migrate", "demo"}
    lines = [line for line in shop.output.splitlines() if line and not line.startswith("  ")]
    assert {line.split("|")[0].strip() for line in lines} <= known
    assert {line.index("|") for line in lines} == {9}


def test_flower_and_its_api_ask_for_the_log_in(shop: Shop) -> None:
    for path in ("/", "/api/workers", "/api/tasks"):
        assert httpx.get(shop.flower + path).status_code == 401
    assert httpx.get(f"{shop.flower}/api/workers", auth=("ops", shop.password)).status_code == 200


def test_no_command_line_shows_a_password(shop: Shop) -> None:
    assert not [command for command in of_folder(shop.folder).values() if shop.password in command]


def test_a_killed_process_comes_back_each_time_and_nothing_of_it_is_left(folder: Path) -> None:
    long_path = folder / ("a-long-name-" * 10)  # sockets cannot live in a path of this length
    long_path.mkdir(parents=True)
    shop = stack.start(long_path).wait_ready()
    for _ in range(2):
        for name, part in PROCESSES.items():
            pid = until(lambda part=part: shop.child(part), f"{name} running")  # type: ignore[misc]
            below = children(pid)
            kill(pid)
            until(lambda part=part, pid=pid: shop.child(part) not in {None, pid}, f"{name} again")  # type: ignore[misc]
            until(lambda below=below: not below.keys() & of_folder(shop.folder).keys(), f"the end of {name}'s children")  # type: ignore[misc]
    web = PROCESSES["web"]
    for _ in range(12):  # also while it has not yet come up
        pid = until(lambda: shop.child(web), "web running")
        kill(pid)
        until(lambda pid=pid: shop.child(web) not in {None, pid}, "web again")  # type: ignore[misc]
    until(lambda: ready(shop.base), "a ready shop after all that")
    assert stack.buy(shop.base)["status"] == "shipped"
    assert shop.stop(signal.SIGTERM) == 0


def test_what_a_stopped_and_a_killed_run_left_is_found_by_the_next(folder: Path) -> None:
    shop = stack.start(folder)
    until((folder / "postgres.draft" / "PG_VERSION").exists, "initdb")
    assert shop.stop(signal.SIGTERM) == 0  # half a database cluster is left

    shop = stack.start(folder).wait_ready()
    order = stack.claim(shop.base)["orderId"]
    stack.reach(shop.base, order, "awaiting_payment")
    assert "in use by another shop" in refused(folder)
    kill(shop.process.pid)
    shop.process.wait()

    again = stack.start(folder, PORT=shop.env["PORT"], FLOWER_PORT=shop.env["FLOWER_PORT"]).wait_ready()
    stack.pay(stack.reach(again.base, order, "awaiting_payment"))
    stack.reach(again.base, order, "awaiting_approval")
    assert again.stop() == 0


@pytest.mark.parametrize(
    "phase", ["postgres.draft/PG_VERSION", "run/.s.PGSQL.5432", "logs/migrate.log", "logs/web.log"]
)
def test_it_stops_cleanly_while_it_is_still_opening(folder: Path, phase: str) -> None:
    shop = stack.start(folder)
    until((folder / phase).exists, phase)
    assert shop.stop(signal.SIGTERM) == 0, shop.output


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_make_alone_stops_the_shop_too(folder: Path, how: signal.Signals, tmp_path: Path) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t@exec {sys.executable} -m quantasneaks.run\n")  # as ours, but nothing is installed
    shop = stack.start(folder, command=["make", "-f", str(makefile), "run"])
    until((folder / "run" / ".s.PGSQL.5432").exists, "PostgreSQL")
    assert shop.stop(how) == -how  # make's own way to end


@pytest.mark.parametrize("name", ["PORT", "FLOWER_PORT"])
def test_a_port_in_use_is_one_line(folder: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert refused(folder, **{name: port}) == (
            f"quantasneaks: {name}: 127.0.0.1:{port} cannot be used: another program uses this port\n"
        )
    assert of_folder(folder) == {}


def test_a_data_folder_that_cannot_be_made_is_one_line(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    assert "QS_DATA_DIR" in refused(folder)


def test_a_setting_that_cannot_be_is_one_line_with_its_name(folder: Path) -> None:
    assert "QS_MODE" in refused(folder, QS_MODE="staging")


def test_without_embedded_servers_both_urls_are_needed(folder: Path) -> None:
    assert "DATABASE_URL" in refused(folder, "--external")
    assert "REDIS_URL" in refused(folder, "--external", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")


def test_a_child_that_never_gets_ready_is_named_and_everything_stops(folder: Path) -> None:
    shop = stack.start(folder, QS_WORKERS="-1")
    assert shop.process.wait(90) == 1
    assert shop.output.splitlines()[-1].startswith("quantasneaks: worker does not start; see ")
    assert of_folder(folder) == {}


def test_the_web_process_runs_in_production(folder: Path) -> None:
    port = stack.free_ports(1)[0]
    command = ["-m", "granian", "--interface", "wsgi", "quantasneaks.wsgi:application", "--port", str(port)]
    web = subprocess.Popen(
        [sys.executable, *command],
        cwd=stack.ROOT,
        env={**os.environ, **PRODUCTION, "QS_DATA_DIR": str(folder)},
        preexec_fn=stop_with_parent,
    )
    try:
        until(lambda: answered(port) == 200, "/healthz in production")
    finally:
        web.terminate()
        web.wait(20)


def answered(port: int) -> int | None:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", headers={"Host": "shop.example"}).status_code
    except httpx.TransportError:
        return None
