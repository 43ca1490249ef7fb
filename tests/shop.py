"""The whole shop as `make run` starts it, in a folder of its own on free ports, and what people do with it over HTTP."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis

ROOT = Path(__file__).parent.parent
PASSWORD = "correct-horse-battery"
READY_WITHIN, STOPPED_WITHIN = 90, 20  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Shop:
    """A running shop."""

    folder: Path
    env: dict[str, str]
    process: subprocess.Popen[bytes]
    output: Path
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.env['PORT']}"

    @property
    def data(self) -> Path:
        return Path(self.env["QS_DATA_DIR"])

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=300)

    def broker(self) -> "redis.Redis[bytes]":
        return redis.Redis(unix_socket_path=str(self.data / "run" / "valkey.sock"))

    def mails(self, subject: str = "") -> list[str]:
        return [text for mail in sorted((self.data / "mails").glob("*.eml")) if subject in (text := mail.read_text())]

    # --- customers ---

    def claim(self, **changes: Any) -> httpx.Response:
        body = {
            "size": 9,
            "email": f"{secrets.token_hex(6)}@example.org",
            "name": "Ada Example",
            "line1": f"{secrets.randbelow(900) + 1} Main Street",
            "city": "Springfield",
            "postcode": "12345",
            "country": "US",
        }
        headers = changes.pop("headers", {})
        return self.http.post("/orders/", json=body | changes, headers=headers)

    def status(self, order_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/orders/{order_id}/status")
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def until(self, order_id: str, *wanted: str, within: float = 30) -> dict[str, Any]:
        """Wait for a state; the answer has it."""
        return eventually(
            lambda: found if (found := self.status(order_id))["status"] in wanted else None,
            within=within,
            what=lambda: f"{wanted}, the order is {self.status(order_id)}",
        )

    def placed(self, **changes: Any) -> str:
        """A claim whose payment page is open."""
        answer = self.claim(**changes)
        assert answer.status_code == 201, answer.text
        order_id: str = answer.json()["orderId"]
        self.until(order_id, "awaiting_payment")
        return order_id

    def pay(self, order_id: str, card: str = "4242424242424242") -> httpx.Response:
        return self.http.post(self.status(order_id)["paymentUrl"], data={"card": card})

    def in_review(self, **changes: Any) -> str:
        order_id = self.placed(**changes)
        assert self.pay(order_id).status_code == 303
        self.until(order_id, "awaiting_approval")
        return order_id

    # --- staff ---

    def staff(self, name: str = "staff") -> httpx.Client:
        client = httpx.Client(base_url=self.url, timeout=30)
        client.get("/admin/login/")
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        assert client.post("/admin/login/", data=form).status_code == 302
        client.headers["X-CSRFToken"] = client.cookies["csrftoken"]
        return client

    def decide(self, order_id: str, decision: str, reason: str = "other", note: str = "as agreed") -> httpx.Response:
        with self.staff() as client:
            return client.post(
                f"/admin/review/{order_id}/", data={"decision": decision, "reason": reason, "note": note}
            )


def eventually(look: Callable[[], Any], *, within: float, what: Callable[[], str]) -> Any:
    """The first truthy answer of `look`."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {within} s for {what()}"
        time.sleep(0.05)
    return found


@contextmanager
def running_shop(**settings: str) -> Iterator[Shop]:
    """Start the shop, stop it, and see to it that nothing is left of it."""
    with tempfile.TemporaryDirectory(prefix="qs-shop-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        env = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")} | {
            "QS_DATA_DIR": str(folder / "data"),
            "PORT": str(free_port()),
            "FLOWER_PORT": str(free_port()),
            "QS_STAFF_PASSWORD": PASSWORD,
            "QS_CLAIM_RATE": "0",
            **settings,
        }
        output = folder / "output.log"
        with output.open("wb") as log:
            command = [sys.executable, "-m", "quantasneaks.run"]
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
        shop = Shop(folder=folder, env=env, process=process, output=output)
        try:
            eventually(lambda: is_ready(shop), within=READY_WITHIN, what=lambda: "a ready shop: " + output.read_text())
            yield shop
        finally:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            process.send_signal(signal.SIGTERM)
            try:
                assert process.wait(STOPPED_WITHIN) == 0, output.read_text()[-3000:]
            finally:
                _, orphans = psutil.wait_procs(family, timeout=2)
                for orphan in orphans:
                    orphan.kill()
            assert not orphans, orphans


def is_ready(shop: Shop) -> bool:
    assert shop.process.poll() is None, shop.output.read_text()[-3000:]
    try:
        return bool(shop.http.get("/readyz").json()["status"] == "ready")
    except (httpx.HTTPError, ValueError, KeyError):
        return False
