"""The people around the shop, in one process: `python -m tests.bench.workflow.drive ORDERS IN_FLIGHT`.

Prints the seconds that each order took, from its claim to its parcel, and the CPU that it all took here, as JSON.
"""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django

TELL = """
CREATE OR REPLACE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bench', NEW.number || ' ' || NEW.state);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER bench_tells AFTER UPDATE OF state ON orders_order
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION bench_tell();
"""
HANDS = 4  # threads that pay and approve
BODY = json.dumps({"object": "event", "data": {"object": {f"field_{n}": f"value {n * n}" for n in range(100)}}})


class People:
    """Customers, the provider's webhooks and a reviewer."""

    def __init__(self) -> None:
        self.shipped: dict[int, threading.Event] = {}
        self.listening = threading.Event()
        self.hands = ThreadPoolExecutor(HANDS)
        threading.Thread(target=self.listen, daemon=True).start()
        self.listening.wait()

    def listen(self) -> None:
        import psycopg
        from django.db import connection

        parameters = connection.get_connection_params()
        parameters.pop("cursor_factory", None)
        parameters.pop("context", None)
        with psycopg.connect(**parameters, autocommit=True) as listener:
            listener.execute(TELL)
            listener.execute("LISTEN bench")
            self.listening.set()
            for told in listener.notifies():
                number, state = told.payload.split()
                if state == "shipped":
                    self.wait_for(int(number)).set()
                elif state in ("awaiting_payment", "awaiting_approval"):
                    self.hands.submit(self.pay if state == "awaiting_payment" else self.approve, int(number))

    def wait_for(self, number: int) -> threading.Event:
        return self.shipped.setdefault(number, threading.Event())

    def pay(self, number: int) -> None:
        from orders import clock
        from orders.payments.provider import ProviderEvent
        from orders.payments.webhooks import note

        note(ProviderEvent(f"evt_{number}", "checkout.session.completed", f"cs_{number}", number, clock.now()), BODY)

    def approve(self, number: int) -> None:
        from orders.workflow import approve_order

        approve_order(number=number, reviewer="bench", reason="looks_genuine", note="")

    def buy(self, drop: Any, n: int) -> float:
        from tests.life import SIGNALS, a_claim, place

        begun = time.perf_counter()
        address = {"ip": f"10.{n >> 8}.{n & 255}.7"}  # theirs alone; what an operator's many cost, `score` measures
        order = place(drop, a_claim(line1=f"{n} Street of sale {drop.pk}"), signals=SIGNALS | address)
        assert self.wait_for(order.number).wait(120), f"order {order.number} never shipped"
        return time.perf_counter() - begun


def main(orders: int, in_flight: int) -> None:
    django.setup()
    from tests.life import open_drop

    drop = open_drop({"9": orders})
    people = People()
    with ThreadPoolExecutor(in_flight) as customers:
        begun, used = time.perf_counter(), time.process_time()
        took = list(customers.map(lambda n: people.buy(drop, n), range(orders)))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    print(json.dumps({"took": took, "seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
