"""How the tests speak to PayLab: as any stranger would, with the official client and over real HTTP."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import stripe

from orders.payments.stripe import client_for

VISA, DECLINED, POOR = "4242424242424242", "4000000000000002", "4000000000009995"


@pytest.fixture
def base(live_server: Any, settings: Any) -> Iterator[str]:
    """Where the shop and PayLab run during the test."""
    settings.INTERNAL_URL = settings.PUBLIC_URL = live_server.url
    settings.PAYMENT_API_BASE = f"{live_server.url}/paylab"
    yield live_server.url
    client_for.cache_clear()  # its open connection would keep one to the test database open


@pytest.fixture
def client(base: str, settings: Any) -> Iterator[stripe.StripeClient]:
    http = stripe.RequestsClient()
    yield stripe.StripeClient(settings.PAYLAB_API_KEY, base_addresses={"api": f"{base}/paylab"}, http_client=http)
    http.close()  # type: ignore[no-untyped-call]


def shoes(amount: int = 29900, **changes: Any) -> Any:
    """The parameters of an ordinary page for held money."""
    price = {"currency": "usd", "unit_amount": amount, "product_data": {"name": "Shoes"}}
    return {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "payment_intent_data": {"capture_method": "manual"},
        "success_url": "https://shop.example/thanks",
        "cancel_url": "https://shop.example/back",
        "expires_at": int(time.time()) + 3600,
        **changes,
    }


def pay(session: stripe.checkout.Session, card: str = VISA) -> httpx.Response:
    """What a customer's browser sends."""
    assert session.url
    return httpx.post(session.url, data={"card": card})


def held(client: stripe.StripeClient, amount: int = 29900) -> str:
    """A payment whose money is held; its reference."""
    session = client.v1.checkout.sessions.create(shoes(amount))
    assert pay(session).status_code == 303
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    assert isinstance(intent, str)
    return intent


def at_once(*acts: Callable[[], object]) -> None:
    """Each in a thread of its own."""
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
