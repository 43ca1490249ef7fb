"""The whole shop as `make run` starts it, in a folder of its own on free ports, and a customer who uses it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from quantasneaks.running.processes import stop_with_parent
from tests.processes import children, kill, of_folder, until

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "demo password of the tests"
STOPS_WITHIN = 20  # seconds; the contract's


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass
class Shop:
    """A shop started by its real entry point."""

    folder: Path
    env: dict[str, str]
    process: subprocess.Popen[bytes]

    password: str = PASSWORD

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.env['PORT']}"

    @property
    def flower(self) -> str:
        return f"http://127.0.0.1:{self.env['FLOWER_PORT']}"

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return (self.folder.parent / f"{self.folder.name}.output").read_text(errors="replace")

    def manage(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a management command beside the running shop."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.env, **changes},
            capture_output=True,
            text=True,
            timeout=300,
        )

    def wait_ready(self) -> "Shop":
        def ready() -> bool:
            assert self.process.poll() is None, f"the shop ended instead of opening:\n{self.output}"
            return "Log in as" in self.output

        try:
            until(ready, "the log-in that the shop prints when it is ready", within=150)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None
        return self

    def child(self, part: str) -> int | None:
        """The process under the supervisor with this in its command line."""
        return next((pid for pid, command in children(self.process.pid).items() if part in command), None)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, and see that nothing of it is left."""
        self.process.send_signal(how)
        code = self.process.wait(STOPS_WITHIN)
        assert of_folder(self.folder) == {}, "left behind"
        return code


MAKE_RUN = (sys.executable, "-m", "quantasneaks.run")  # what `make run` does once everything is installed


def as_from_a_terminal() -> None:
    """In the new process: heed Ctrl-C also where this test run was started to ignore it (`make test &`).

    And a test run that is killed takes its shop along.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stop_with_parent()


def start(folder: Path, *, command: Sequence[str] = MAKE_RUN, **changes: str) -> Shop:
    """Start a shop; it is not ready yet."""
    port, flower_port = free_ports(2)
    env = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    env |= {
        "QS_DATA_DIR": str(folder),
        "PORT": str(port),
        "FLOWER_PORT": str(flower_port),
        "QS_CLAIM_RATE": "0",
        "QS_STAFF_PASSWORD": PASSWORD,
        **changes,
    }
    output = folder.parent / f"{folder.name}.output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=as_from_a_terminal,
        )
    return Shop(folder, env, process)


@contextmanager
def folder_for_a_shop(prefix: str = "qs-shop-") -> Iterator[Path]:
    """A data folder that does not exist yet; whatever still runs in it at the end is killed."""
    parent = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    parent.chmod(0o755)  # as root, PostgreSQL's stand-in has to pass
    folder = parent / "data"
    try:
        yield folder
    finally:
        for pid in of_folder(folder):
            kill(pid)
        shutil.rmtree(parent, ignore_errors=True)


# --- a customer and a reviewer, over HTTP ---------------------------------------------------------


def claim(base: str, **changes: str) -> dict[str, Any]:
    """Claim a pair as a stranger; the status JSON."""
    fields = {
        "size": "9",
        "email": f"{uuid.uuid4().hex[:12]}@example.org",
        "name": "Ada Example",
        "line1": "12 Main Street",
        "city": "Springfield",
        "postcode": "12345",
        "country": "US",
    }
    answer = httpx.post(f"{base}/orders/", json=fields | changes, timeout=30)
    assert answer.status_code == 201, answer.text
    status: dict[str, Any] = answer.json()
    return status


def reach(base: str, order_id: str, *states: str, within: float = 60) -> dict[str, Any]:
    """Wait until the order is in one of these states; its status JSON then."""

    def there() -> dict[str, Any] | None:
        try:
            answer = httpx.get(f"{base}/orders/{order_id}/status", timeout=30)
            status: dict[str, Any] = answer.json()
        except (httpx.TransportError, ValueError):  # a web process that was just killed
            return None
        return status if answer.status_code == 200 and status["status"] in states else None

    return until(there, f"an order that is {' or '.join(states)}", within=within)


def pay(status: dict[str, Any], card: str = "4242424242424242") -> httpx.Response:
    answer = httpx.post(status["paymentUrl"], data={"card": card}, timeout=30)
    assert answer.status_code in {303, 402}, answer.text
    return answer


def staff(base: str, name: str = "staff", password: str = PASSWORD) -> httpx.Client:
    """A reviewer who is logged in."""
    client = httpx.Client(base_url=base, timeout=30)
    client.get("/admin/login/")
    token = client.cookies["csrftoken"]
    answer = client.post("/admin/login/", data={"username": name, "password": password, "csrfmiddlewaretoken": token})
    assert answer.status_code == 302, "the log-in was refused"
    client.headers["X-CSRFToken"] = client.cookies["csrftoken"]
    return client


def decide(reviewer: httpx.Client, order_id: str, decision: str = "approve", reason: str = "looks_genuine") -> None:
    answer = reviewer.post(
        f"/admin/review/{order_id}/",
        data={"decision": decision, "reason": reason, "note": "seen by the tests"},
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 200, answer.text


def buy(base: str) -> dict[str, Any]:
    """One order from the claim to the parcel; the status JSON at its end."""
    order = claim(base)["orderId"]
    pay(reach(base, order, "awaiting_payment"))
    reach(base, order, "awaiting_approval")
    with closing(staff(base)) as reviewer:
        decide(reviewer, order)
    return reach(base, order, "shipped")
