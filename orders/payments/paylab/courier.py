"""Delivers events to the shop: milliseconds after the commit, again and again until they are accepted.

An event's row is claimed by moving its next attempt ahead, so a second courier passes it by, and one that died leaves
it to be taken up again. No transaction is open while HTTP is under way.
"""

import hashlib
import hmac
import json
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import FrameType

import httpx
import psycopg
import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from orders.payments.paylab import clock, faults
from orders.payments.paylab.books import CHANNEL, end_what_is_due
from orders.payments.paylab.models import Event, Fault, FaultKind, IdempotencyKey
from orders.payments.paylab.objects import event_json

log = structlog.get_logger("paylab")

AT_ONCE = 8  # deliveries under way
PATIENCE = 8.0  # seconds to connect, to send and to be answered, each
HELD = timedelta(seconds=30)  # longer than a delivery can take; then another courier may try
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=1), timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(days=3)
KEEP_KEYS, KEEP_EVENTS = timedelta(hours=24), timedelta(days=30)
POLL = 1.0  # seconds between looks for what is due, bell or not
TIDY = 3600.0  # seconds between purges


def sign(body: str, *, at: int) -> str:
    """The `Stripe-Signature` header: HMAC-SHA256 of time and body.

    https://docs.stripe.com/webhooks#verify-manually
    """
    mac = hmac.new(settings.PAYLAB_WEBHOOK_SECRET.encode(), f"{at}.{body}".encode(), hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


class Courier:
    """One delivering process. `run` ends after `stop`, at the latest a delivery's patience later."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.looked = self.tidied = -TIDY  # in time.monotonic()
        self.http = httpx.Client(timeout=PATIENCE, trust_env=False)  # no proxy between us and the shop
        self.hands = ThreadPoolExecutor(AT_ONCE)

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        self.stopped.set()

    def run(self) -> None:
        """Deliver until stopped; a database that goes away is waited for."""
        while not self.stopped.is_set():
            try:
                self.listen()
            except (OperationalError, InterfaceError, psycopg.OperationalError) as error:
                log.warning("courier lost the database", cause=type(error).__name__)
                connection.close()
                self.stopped.wait(random.uniform(0.2, 1))  # noqa: S311  # not a secret
        self.hands.shutdown()
        self.http.close()

    def listen(self) -> None:
        """Wake by the bell or once a second, and work off what is due."""
        # A connection of its own: notifications that arrive while others use it would be lost.
        with psycopg.connect(**connection.get_connection_params(), autocommit=True) as bell:
            bell.execute(f"LISTEN {CHANNEL}")
            log.info("courier ready")
            while not self.stopped.is_set():
                self.look_at_the_clock()
                while not self.stopped.is_set() and self.deliver_due():
                    pass
                for _ in bell.notifies(timeout=POLL, stop_after=1):
                    pass

    def deliver_due(self) -> int:
        """Deliver one batch of due events. Returns how many were due."""
        due = claim()
        events = [event for event in due if event.attempts]
        for event, trouble in zip(events, self.hands.map(self.post, events), strict=True):
            note(event, trouble)
        return len(due)

    def post(self, event: Event) -> str:
        """One attempt; what went wrong with it. Only a 2xx counts."""
        body = json.dumps(event_json(event))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (PayLab)",
            "Stripe-Signature": sign(body, at=int(time.time())),
        }
        try:
            answer = self.http.post(f"{settings.INTERNAL_URL}/webhooks/stripe/", content=body, headers=headers)
        except httpx.HTTPError as error:
            return type(error).__name__
        return "" if answer.is_success else f"status {answer.status_code}"

    def look_at_the_clock(self) -> None:
        """What time itself brings: once a second what is over, now and then what nobody may ask for any more."""
        if time.monotonic() - self.looked < POLL:
            return
        self.looked = time.monotonic()
        end_what_is_due()
        if self.looked - self.tidied >= TIDY:
            self.tidied = self.looked
            tidy()


def tidy() -> None:
    """Forget old keys, and old events that are delivered or given up."""
    now = clock.now()
    IdempotencyKey.objects.filter(created__lt=now - KEEP_KEYS).delete()
    Event.objects.filter(created__lt=now - KEEP_EVENTS, next_attempt_at__isnull=True).delete()


def claim() -> Sequence[Event]:
    """Take due events in hand; a courier beside this one gets others. One without an attempt is held up by a fault."""
    with transaction.atomic():
        now = clock.now()
        due = Event.objects.due(now).select_related("session").order_by("next_attempt_at", "pk")
        events = list(due.select_for_update(skip_locked=True, of=("self",))[:AT_ONCE])
        for event in events:
            event.next_attempt_at = now + HELD
            fault = None if event.fault or event.attempts else play_delivery(event)
            if fault is None or fault.kind == FaultKind.WEBHOOK_TWICE:
                event.attempts += 1
            elif fault.kind == FaultKind.WEBHOOK_LOST:
                event.next_attempt_at = None
            else:
                event.next_attempt_at = now + fault.delay
        Event.objects.bulk_update(events, ["attempts", "next_attempt_at", "fault"])
    return events


def play_delivery(event: Event) -> Fault | None:
    """What goes wrong with this delivery, noted on the event."""
    fault = faults.play(*faults.DELIVERIES, ref=event.session.ref if event.session else "", action=event.type)
    event.fault = fault.kind if fault else ""
    return fault


def note(event: Event, trouble: str) -> None:
    """Remember how it went, unless the event is in other hands by now."""
    now = clock.now()
    in_hand = Event.objects.filter(pk=event.pk, attempts=event.attempts, delivered_at__isnull=True)
    if not trouble and event.fault == FaultKind.WEBHOOK_TWICE and event.attempts == 1:
        in_hand.update(next_attempt_at=now)
    elif not trouble:
        in_hand.update(delivered_at=now, next_attempt_at=None)
    else:
        again = next_attempt(event, now=now)
        log.info("event not accepted", event_id=event.ref, cause=trouble, attempt=event.attempts, last=again is None)
        in_hand.update(next_attempt_at=again)


def next_attempt(event: Event, *, now: datetime) -> datetime | None:
    """Exponential backoff with jitter; None after three days."""
    if now - event.created > GIVE_UP_AFTER:
        return None
    delay: timedelta = min(FIRST_DELAY * 2 ** min(event.attempts - 1, 20), LONGEST_DELAY)
    return now + delay * random.uniform(0.5, 1)  # noqa: S311  # not a secret
