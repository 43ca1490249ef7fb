"""The main job on real parts: web, relay, workers, beat, courier, PostgreSQL, Valkey; over HTTP, as people would."""

import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from celery import Celery
from kombu import pools

from tests.processes import until
from tests.shop import Shop, running_shop
from tests.stack import PASSWORD

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """One shop for this file."""
    with running_shop() as shop:
        yield shop


def audit_is_clean(shop: Shop) -> None:
    report = shop.manage("audit", "--json")
    assert report.returncode == 0, report.stdout + report.stderr[-2000:]


def ended(shop: Shop, order_id: str, **options: float) -> str:
    return str(shop.until(order_id, "compensated", **options)["outcome"])


def test_an_order_reaches_its_customer(shop):
    order_id = shop.in_review(email="ada@example.org")
    assert shop.decide(order_id, "approve").status_code == 303
    status = shop.until(order_id, "shipped")
    assert (status["outcome"], status["deadline"], status["paymentUrl"], status["pollAfterMs"]) == (None,) * 4
    mails = until(
        lambda: found if len(found := shop.mails("ada@example.org")) == 3 else None, "the third mail", within=10
    )
    assert all(order_id in mail for mail in mails)
    audit_is_clean(shop)


def test_every_way_back_ends_with_its_outcome(shop):
    rejected, refused = shop.in_review(), shop.in_review(postcode="REFUSE")
    assert shop.decide(rejected, "reject").status_code == 303
    assert shop.decide(refused, "approve").status_code == 303
    cancelled = shop.placed()
    assert shop.http.post(f"/orders/{cancelled}/cancel", headers={"Accept": "application/json"}).status_code == 200
    assert ended(shop, rejected) == "rejected"
    assert ended(shop, refused) == "error"
    assert ended(shop, cancelled) == "cancelled"
    audit_is_clean(shop)


def test_deadlines_fire():
    with running_shop(QS_PAYMENT_TIMEOUT="5", QS_APPROVAL_TIMEOUT="5") as shop:
        unpaid, declined = shop.placed(), shop.placed()
        assert shop.pay(declined, "4000000000000002").status_code == 402
        undecided = shop.in_review()
        assert ended(shop, unpaid) == "payment_timeout"
        assert ended(shop, declined) == "payment_timeout"
        assert ended(shop, undecided) == "approval_timeout"
        report = shop.manage("audit")
        assert report.returncode == 0, report.stdout


def test_the_bell_alone_moves_orders():
    """The sweep is there for what the bell misses; here it looks every ten minutes, so nothing but the bell rings."""
    with running_shop(QS_SWEEP_INTERVAL="600") as shop:
        for _ in range(3):
            order = shop.in_review()
            shop.decide(order, "approve")
            shop.until(order, "shipped")


def test_the_rush():
    """500 pairs, 5,000 claims of all sizes from 64 connections: 500 orders and not one claim too many or too few."""
    sizes = {7: 50, 8: 90, 9: 120, 10: 110, 11: 80, 12: 50}
    with running_shop() as shop:

        def claims(lane: int) -> list[tuple[int, int, str]]:
            answers = []
            with httpx.Client(base_url=shop.base, timeout=120) as client:
                for n in range(lane, 5000, 64):
                    size = list(sizes)[n % len(sizes)]
                    body = {
                        "size": size, "email": f"c{n}@example.org", "name": "A B", "line1": f"{n} Road",
                        "city": "X", "postcode": "12345", "country": "US",
                    }  # fmt: skip
                    answer = client.post("/orders/", json=body)
                    answers.append((size, answer.status_code, answer.json().get("error", "")))
            return answers

        with ThreadPoolExecutor(64) as pool:
            answers = [answer for lane in pool.map(claims, range(64)) for answer in lane]
        for size, pairs in sizes.items():
            of_size = [(code, error) for asked, code, error in answers if asked == size]
            assert of_size.count((201, "")) == pairs
            assert of_size.count((409, "sold_out")) == len(of_size) - pairs
        audit_is_clean(shop)


def test_one_customer_and_one_key_at_once(shop):
    def many(count: int, **changes: object) -> list[httpx.Response]:
        with ThreadPoolExecutor(50) as pool:
            return [future.result() for future in [pool.submit(shop.claim, **changes) for _ in range(count)]]

    same = many(200, email="grace@example.org", line1="1 Road", size=8)
    assert sorted({answer.status_code for answer in same}) == [201, 409]
    assert [answer.status_code for answer in same].count(201) == 1
    assert {answer.json()["error"] for answer in same if answer.status_code == 409} == {"already_claimed"}
    keyed = many(
        50, email="edsger@example.org", line1="1 Road", size=8, headers={"Idempotency-Key": "one intent, one order"}
    )
    assert {answer.status_code for answer in keyed} == {201}
    assert len({answer.json()["orderId"] for answer in keyed}) == 1


def test_claims_do_not_need_redis_and_go_on_by_themselves_when_it_is_back(shop):
    broker = psutil.Process(shop.broker().info("server")["process_id"])
    broker.suspend()
    try:
        placed = []
        for _ in range(20):
            # A claim that talked to Redis would wait for its time-out, 5 s; the figure itself is a benchmark's.
            answer = shop.claim(size=10, timeout=4)
            assert answer.status_code == 201
            placed.append(answer.json()["orderId"])
        ready = shop.http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    finally:
        broker.send_signal(signal.SIGKILL)
    for order_id in placed:
        shop.until(order_id, "awaiting_payment", within=60)
    audit_is_clean(shop)


@pytest.mark.parametrize("queue", ["orders", "mails"])
def test_a_worker_that_no_longer_hears_its_queue_is_started_again(shop, queue):
    """As after a frozen broker: the process lives and never asks for a message again."""
    pools.reset()  # kombu keeps connections for the whole process, and another test may have killed the broker
    app = Celery(broker=f"redis+socket://{shop.folder / 'run' / 'valkey.sock'}", set_as_current=False)
    for name in ("sweep", queue):
        assert app.control.cancel_consumer(name, reply=True, timeout=5)
    before = len(shop.mails())
    shop.placed(size=11)
    until(lambda: len(shop.mails()) > before, "the mail", within=60)
    audit_is_clean(shop)


PROCESSES = {
    "worker": "-Q sweep,orders",
    "mailer": "-Q sweep,mails",
    "relay": "manage.py relay",
    "beat": "quantasneaks beat",
    "courier": "paylab_courier",
    "web": "granian",
}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_killed_process_loses_no_order(shop, name):
    victims = [
        process
        for process in psutil.Process(shop.process.pid).children(recursive=True)
        if PROCESSES[name] in " ".join(process.cmdline())
    ]
    assert victims
    placed = [shop.claim(size=11).json()["orderId"] for _ in range(5)]
    for victim in victims:
        victim.kill()
    for order_id in placed:
        until(lambda: is_up(shop), "the web process", within=20)
        shop.until(order_id, "awaiting_payment", within=30)
        shop.pay(order_id)
    for order_id in placed:
        shop.until(order_id, "awaiting_approval", within=30)
    audit_is_clean(shop)


def is_up(shop: Shop) -> bool:
    try:
        return shop.http.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def test_all_of_redis_may_vanish(shop):
    placed = [shop.claim(size=12).json()["orderId"] for _ in range(5)]
    shop.broker().flushall()
    for order_id in placed:
        shop.until(order_id, "awaiting_payment", within=30)


def test_the_public_id_is_only_where_its_customer_is(shop):
    """A whole run's logs, Redis, Flower and metrics, and what the provider was told in metadata."""
    order_id = shop.in_review()
    shop.http.get(f"/orders/{order_id}/nowhere")
    shop.decide(order_id, "approve")
    shop.until(order_id, "shipped")
    shop.http.post(f"/orders/{order_id}/cancel")
    ids = set(re.findall(r"/orders/([0-9a-f-]{36})/", "".join(shop.mails())))
    assert order_id in ids
    flower = httpx.Client(base_url=f"http://127.0.0.1:{shop.env['FLOWER_PORT']}", auth=("ops", PASSWORD), timeout=20)
    seen = {
        "the logs": shop.output + "".join(log.read_text() for log in (shop.folder / "logs").glob("*")),
        "metrics": shop.http.get("/metrics").text,
        "Flower": flower.get("/tasks").text + flower.get("/api/tasks").text + flower.get("/workers").text,
        "Redis": str([shop.broker().lrange(queue, 0, -1) for queue in ("orders", "sweep", "mails")]),
        "the provider's metadata": str(
            [
                intent["metadata"]
                for intent in shop.http.get(
                    "/paylab/v1/payment_intents?limit=100",
                    auth=((shop.folder / "secrets" / "paylab_api_key").read_text(), ""),
                ).json()["data"]
            ]
        ),
    }
    for place, text in seen.items():
        assert text
        assert not [found for found in ids if found in text], place


def test_flower_shows_named_tasks_behind_a_log_in(shop):
    shop.placed()
    address = f"http://127.0.0.1:{shop.env['FLOWER_PORT']}"
    assert httpx.get(f"{address}/api/workers").status_code == 401
    assert httpx.get(f"{address}/workers").status_code == 401
    with httpx.Client(base_url=address, auth=("ops", PASSWORD), timeout=20) as flower:

        def seen() -> set[str]:
            tasks = flower.get("/api/tasks").json().values()
            return {task["name"] for task in tasks if task["name"]}  # none if Flower came up while it ran

        # No bell of open_payment: it follows the score in the same hands.
        until(lambda: "orders.score_risk" in seen(), "an order's task in Flower", within=20)
        assert seen() <= {f"orders.{step}" for step in (*STEPS, "sweep", "purge", "read_events", "reconcile")}


STEPS = (
    "score_risk", "open_payment", "check_payment", "expire_review", "capture_payment", "ship", "compensate",
    "send_placed", "send_authorised", "send_confirmation", "send_apology", "send_late_money", "send_link",
)  # fmt: skip


def test_nothing_is_left_over(shop):
    audit_is_clean(shop)
