"""The courier: what PayLab tells reaches the shop, soon, signed, and until it is accepted."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe
from django.db import connection
from stripe import StripeClient

from orders import clock
from orders.models import WebhookEvent
from orders.payments.paylab import courier as post_office
from orders.payments.paylab.books import CHANNEL
from orders.payments.paylab.courier import Courier
from orders.payments.paylab.models import Event
from tests.paylab import at_once, base, client, held, pay, shoes

__all__ = ["base", "client"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


class Shop:
    """Takes deliveries; refuses as many as it is told to."""

    def __init__(self) -> None:
        self.refusals = 0
        self.got: queue.Queue[tuple[str, bytes]] = queue.Queue()
        shop = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                refused = shop.refusals > 0
                shop.refusals -= refused
                shop.got.put((self.headers["Stripe-Signature"], body))
                self.send_response(500 if refused else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Silent."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 64  # several couriers knock at once
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def shop(base: str, settings: Any) -> Iterator[Shop]:
    shop = Shop()
    settings.INTERNAL_URL = shop.url
    thread = threading.Thread(target=shop.server.serve_forever)
    thread.start()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()
    thread.join()


@contextmanager
def running(courier: Courier) -> Iterator[None]:
    """The courier at work in a thread of its own."""

    def work() -> None:
        courier.run()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        courier.stop()
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")  # wakes it, so that it sees that it is to stop
        thread.join()


def test_the_shop_takes_what_paylab_sends(client: StripeClient) -> None:
    pay(client.v1.checkout.sessions.create(shoes()))
    assert Courier().deliver_due() == 2
    assert {event.type for event in WebhookEvent.objects.all()} == {
        "payment_intent.amount_capturable_updated",
        "checkout.session.completed",
    }
    assert all(event.pending_webhooks == 0 for event in client.v1.events.list().data)
    assert Courier().deliver_due() == 0


def test_a_delivery_is_signed_and_is_the_event_itself(client: StripeClient, shop: Shop, settings: Any) -> None:
    client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(shoes()).id)
    Courier().deliver_due()
    signature, body = shop.got.get_nowait()
    event = stripe.Webhook.construct_event(body, signature, settings.PAYLAB_WEBHOOK_SECRET)
    assert event.type == "checkout.session.expired"
    listed = client.v1.events.list().data[0].to_dict()
    assert listed | {"pending_webhooks": 1} == json.loads(body)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_other")


def test_a_refused_delivery_is_tried_again_later_until_it_is_accepted(
    client: StripeClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(shoes()).id)
    shop.refusals = 3
    courier = Courier()
    waits = []
    for _ in range(3):
        assert courier.deliver_due() == 1
        event = Event.objects.get()
        assert event.next_attempt_at
        waits.append(event.next_attempt_at - clock.now())
        assert courier.deliver_due() == 0
        monkeypatch.setattr(clock, "offset", clock.offset + waits[-1] + timedelta(seconds=1))
    assert waits[0] < timedelta(seconds=1) < waits[2] <= timedelta(seconds=4)
    assert courier.deliver_due() == 1
    event = Event.objects.get()
    assert (event.attempts, event.next_attempt_at) == (4, None)
    assert event.delivered_at
    assert shop.got.qsize() == 4


def test_the_waits_grow_to_a_ceiling_and_end_after_three_days() -> None:
    now = clock.now()
    late = Event(created=now, attempts=50)
    again = post_office.next_attempt(late, now=now)
    assert again
    assert timedelta(minutes=2) < again - now <= timedelta(minutes=5)
    assert post_office.next_attempt(late, now=now + timedelta(days=3, seconds=1)) is None


def test_a_shop_that_is_away_loses_nothing(
    client: StripeClient, base: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INTERNAL_URL = "http://127.0.0.1:9"  # nobody listens
    held(client)
    assert Courier().deliver_due() == 2
    settings.INTERNAL_URL = base
    monkeypatch.setattr(clock, "offset", timedelta(seconds=5))
    assert Courier().deliver_due() == 2
    assert WebhookEvent.objects.count() == 2


def test_couriers_beside_each_other_deliver_each_event_once(client: StripeClient, shop: Shop) -> None:
    for _ in range(20):
        held(client)

    def work() -> None:
        courier = Courier()
        while courier.deliver_due():
            pass
        connection.close()

    at_once(work, work, work)
    bodies = [json.loads(shop.got.get_nowait()[1])["id"] for _ in range(shop.got.qsize())]
    assert len(bodies) == len(set(bodies)) == 40


def test_an_event_in_the_hands_of_a_courier_that_died_is_taken_up_again(
    client: StripeClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(shoes()).id)
    assert len(post_office.claim()) == 1
    assert Courier().deliver_due() == 0
    monkeypatch.setattr(clock, "offset", post_office.HELD + timedelta(seconds=1))
    assert Courier().deliver_due() == 1


def test_the_bell_alone_brings_a_delivery(client: StripeClient, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_office, "POLL", 600.0)
    with running(Courier()):
        for _ in range(2):
            client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(shoes()).id)
            shop.got.get(timeout=60)
    assert not Event.objects.filter(delivered_at=None).exists()


def test_a_database_that_comes_back_finds_its_courier_waiting(client: StripeClient, shop: Shop) -> None:
    with running(Courier()):
        client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(shoes()).id)
        shop.got.get(timeout=60)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(shoes()).id)
        shop.got.get(timeout=60)


def test_old_events_are_forgotten_once_they_are_delivered(
    client: StripeClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(shoes()).id)
        if not Event.objects.exclude(delivered_at=None).exists():
            Courier().deliver_due()
    monkeypatch.setattr(clock, "offset", timedelta(days=31))
    post_office.tidy()
    assert [event.delivered_at for event in Event.objects.all()] == [None]


@pytest.mark.parametrize("bell", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_cleanly_when_it_is_told_to(bell: signal.Signals) -> None:
    wanted = connection.settings_dict
    url = f"postgresql://{wanted['USER']}@/{wanted['NAME']}?host={wanted['HOST'] or wanted['OPTIONS'].get('host', '')}"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "paylab_courier"],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"DATABASE_URL": url},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "courier ready" in line:
            break
    process.send_signal(bell)
    assert process.wait(30) == 0
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
