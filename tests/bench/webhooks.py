"""How fast the inbox answers: signed events, half of them news of orders that wait, at 50 a second."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from stripe import WebhookSignature

from tests.bench.figures import Run, milliseconds
from tests.shop import Shop, running_shop

RATE, SECONDS, ORDERS, RUNS = 50, 20, 40, 3


def runs() -> list[Run]:
    with running_shop() as shop:
        for _ in range(ORDERS):
            shop.placed()
        tell = "from django.conf import settings as s; print(s.PAYMENT_WEBHOOK_SECRETS[0], s.SHOP_ID)"
        secret, shop_id = shop.manage("shell", "-v0", "-c", tell).stdout.split()
        return [one(shop, secret, shop_id, run) for run in range(RUNS)]


def one(shop: Shop, secret: str, shop_id: str, run: int) -> Run:
    """An event is due every 20 ms, however slow the answers are; its time counts from when it was due."""
    begun = time.perf_counter() + 0.5
    with httpx.Client(base_url=shop.base, timeout=30) as http, ThreadPoolExecutor(32) as pool:

        def deliver(n: int) -> float:
            due = begun + n / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            body = event(f"evt_bench_{run}_{n}", n % (2 * ORDERS) + 1, shop_id)
            header = WebhookSignature.generate_signature_header(body, secret, int(time.time()))
            answer = http.post("/webhooks/stripe/", content=body, headers={"Stripe-Signature": header})
            assert answer.status_code == 200, answer.text
            return time.perf_counter() - due

        return milliseconds(pool.map(deliver, range(RATE * SECONDS)))


def event(event_id: str, order: int, shop_id: str) -> str:
    thing = {
        "id": f"cs_bench_{order}",
        "object": "checkout.session",
        "metadata": {"shop": shop_id, "order": str(order)},
        "padding": "x" * 3000,  # as long as a real one
    }
    return json.dumps(
        {
            "id": event_id,
            "object": "event",
            "type": "checkout.session.completed",
            "created": int(time.time()),
            "data": {"object": thing},
        }
    )
