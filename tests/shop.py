"""What people do with a running shop (tests/stack.py starts it): customers claim and pay, staff decide."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import redis

from tests import stack


class Shop(stack.Shop):
    """A running shop with people in it."""

    @property
    def http(self) -> httpx.Client:
        """A customer's browser."""
        return httpx.Client(base_url=self.base, timeout=30)

    def broker(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.folder / "run" / "valkey.sock"))

    def mails(self, subject: str = "") -> list[str]:
        return [text for mail in sorted((self.folder / "mails").glob("*.eml")) if subject in (text := mail.read_text())]

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
        headers, timeout = changes.pop("headers", {}), changes.pop("timeout", 30)
        return self.http.post("/orders/", json=body | changes, headers=headers, timeout=timeout)

    def status(self, order_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/orders/{order_id}/status")
        assert answer.status_code == 200, answer.text
        status: dict[str, Any] = answer.json()
        return status

    def until(self, order_id: str, *wanted: str, within: float = 30) -> dict[str, Any]:
        """Wait for a state; the answer has it."""
        return stack.reach(self.base, order_id, *wanted, within=within)

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
        return stack.staff(self.base, name)

    def decide(self, order_id: str, decision: str, reason: str = "other", note: str = "as agreed") -> httpx.Response:
        body = {"decision": decision, "reason": reason, "note": note}
        return self.staff().post(f"/admin/review/{order_id}/", data=body)


@contextmanager
def running_shop(**settings: str) -> Iterator[Shop]:
    """Start a shop, stop it, and see to it that nothing is left of it."""
    with stack.folder_for_a_shop() as folder:
        started = stack.start(folder, **settings)
        shop = Shop(started.folder, started.env, started.process)
        shop.wait_ready()
        yield shop
        assert shop.stop() == 0
