"""Money under generated schedules: whatever is paid, lost, late, repeated or killed, ledger and order agree.

Hypothesis draws schedules of up to twelve actions on one to three orders. Each action is real code on PostgreSQL, and
PayLab is reached over HTTP; the broker is inlined, so that a schedule decides which step runs when. The money's
invariants are checked after each action, and in the end everything must come to rest.

`QS_SCHEDULES` says how many; `QS_SCHEDULES_REPORT` names a file for how often each action met each state.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import httpx
import pytest
from django.conf import settings as django_settings
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orders import clock, workflow
from orders.audit import audit, entry_problem
from orders.errors import Refused, StepFailed
from orders.models import Order, Pair, WebhookEvent, Work
from orders.payments import stripe, webhooks
from orders.payments.paylab import clock as paylab_clock
from orders.payments.paylab import faults
from orders.payments.paylab.books import end_what_is_due
from orders.payments.paylab.courier import Courier
from orders.payments.paylab.models import ChargeStatus, Fault, FaultKind, Intent, RefundStatus
from orders.payments.provider import LedgerEntry
from orders.shipping.http import HttpCarrier
from orders.states import FINAL, Outcome, PairState, State, Step
from orders.sweep import sweep
from tests.life import (
    DECLINED_CARD,
    GOOD_CARD,
    a_claim,
    approve,
    fresh,
    hang_up,
    later,
    one_step,
    open_drop,
    place,
    reject,
)

pytestmark = [pytest.mark.usefixtures("strangers"), pytest.mark.chaos]

SCHEDULES = int(os.environ.get("QS_SCHEDULES", "40"))
ACTIONS = 12
PRICE = 29900
BANK_ASKS = "4000002500003155"
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
TIMES = {
    "a moment": 2 * SECOND,
    "a minute": 61 * SECOND,
    "the time to pay": HOUR + SECOND,
    "the time to decide": 24 * HOUR + SECOND,
    "a week": 7 * 24 * HOUR + SECOND,
}
HEAD_STARTS = (
    "claimed",
    "page open",
    "paid unseen",
    "in review",
    "approved",
    "captured",
    "shipped",
    "turned round",
    "undone",
)
# Waits are shortened, and with them the caller's patience, so that a schedule takes a second and not a minute.
PATIENCE = 0.2
WAITS = {FaultKind.SLOW: timedelta(seconds=0.02), FaultKind.TIMEOUT_AFTER: timedelta(seconds=2 * PATIENCE)}
PROVIDER_CALLS = ("create_session", "fetch", "expire_session", "capture", "void", "refund")


class Killed(BaseException):
    """The worker's end: nothing of it is caught, nothing after it runs. (Real ends: test_crash_points.py.)"""


@contextmanager
def killed_at(call: str, *, after: bool) -> Iterator[None]:
    """The worker ends before or after its next call of this name, of provider or carrier."""
    owner: Any = HttpCarrier if call in ("ship", "cancel") else stripe.StripeProvider
    real = getattr(owner, call)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        if after:
            real(*args, **kwargs)
        raise Killed

    with patch.object(owner, call, deadly):
        yield


def every(step: Step) -> None:
    """Do this step wherever it is due, and nothing of what follows."""
    while one_step(step):
        pass


def be_patient(seconds: float) -> None:
    """From now on the shop waits so long for the provider's answer."""
    hang_up()
    stripe.TIME_OUT = (4.0, seconds)


class Money(RuleBasedStateMachine):
    """A shop, its provider and its customers, in the hands of Hypothesis."""

    met: ClassVar[Counter[tuple[str, str]]] = Counter()
    played: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        Money.played += 1
        Fault.objects.all().delete()
        paylab_clock.reset()
        self.reachable = django_settings.PAYMENT_API_BASE
        self.courier = Courier()
        self.http = httpx.Client(timeout=60)
        self.orders: list[int] = []

    # --- the beginning ------------------------------------------------------------------------------------------------

    @initialize(
        # An order is in its first state for the shortest time, so more of them begin there.
        starts=st.lists(st.sampled_from([HEAD_STARTS[0], *HEAD_STARTS]), min_size=1, max_size=3),
        postcode=st.sampled_from(["12345", "12345", "REFUSE"]),
    )
    def begin(self, starts: list[str], postcode: str) -> None:
        drop = open_drop()
        self.drop = drop
        for start in starts:
            order = place(drop, a_claim(postcode=postcode))
            self.orders.append(order.number)
            self.bring(order, start)
        be_patient(PATIENCE)

    def bring(self, order: Order, start: str) -> None:
        """Forward to where this order's schedule begins."""
        reached = HEAD_STARTS.index(start)
        if reached >= HEAD_STARTS.index("page open"):
            every(Step.SCORE_RISK)
            every(Step.OPEN_PAYMENT)
        if reached >= HEAD_STARTS.index("paid unseen"):
            self.post(order, card=GOOD_CARD)
        if reached >= HEAD_STARTS.index("in review"):
            self.deliver()
            every(Step.CHECK_PAYMENT)
        if start in ("approved", "captured", "shipped"):
            approve(order)
        if start in ("captured", "shipped"):
            every(Step.CAPTURE_PAYMENT)
        if start == "shipped":
            every(Step.SHIP)
        if start in ("turned round", "undone"):
            reject(order)
        if start == "undone":
            every(Step.COMPENSATE)

    # --- what anybody may do ------------------------------------------------------------------------------------------

    def one(self, pick: int, action: str) -> Order:
        order = Order.objects.get(number=self.orders[pick % len(self.orders)])
        Money.met[action, order.state] += 1
        return order

    def all(self, action: str) -> None:
        for state in Order.objects.filter(number__in=self.orders).values_list("state", flat=True):
            Money.met[action, state] += 1

    def post(self, order: Order, **words: str) -> None:
        payment = fresh(order).payment if hasattr(fresh(order), "payment") else None
        if payment and payment.url:
            self.http.post(payment.url, data=words)

    @rule(pick=st.integers(0, 2), card=st.sampled_from([GOOD_CARD, DECLINED_CARD, BANK_ASKS]))
    def pay(self, pick: int, card: str) -> None:
        self.post(self.one(pick, "decline" if card == DECLINED_CARD else "pay"), card=card)

    @rule(pick=st.integers(0, 2), word=st.sampled_from(["yes", "no"]))
    def answer_the_bank(self, pick: int, word: str) -> None:
        order = self.one(pick, "answer the bank")
        self.post(order, card=BANK_ASKS)
        self.post(order, bank=word)

    @rule(pick=st.integers(0, 2), decision=st.sampled_from(["approve", "reject", "cancel"]))
    def decide(self, pick: int, decision: str) -> None:
        order = self.one(pick, decision)
        try:
            if decision == "cancel":
                workflow.cancel_order(public_id=order.public_id)
            else:
                (approve if decision == "approve" else reject)(order)
        except Refused:
            pass

    # --- what the shop's processes do ---------------------------------------------------------------------------------

    def work(self, *, turns: int) -> None:
        """Take up what is due, once each turn; what follows waits for the next."""
        for _ in range(turns):
            now = clock.now()
            due = list(
                Work.objects.due(now).filter(order__in=self.orders).order_by("due_at").values_list("step", flat=True)
            )
            if not due:
                return
            for name in due:
                one_step(Step(name))

    @rule(turns=st.integers(1, 4))
    def workers(self, turns: int) -> None:
        self.all("work")
        self.work(turns=turns)

    @rule(call=st.sampled_from([*PROVIDER_CALLS, "ship", "cancel"]), after=st.booleans())
    def a_worker_is_killed(self, call: str, after: bool) -> None:
        self.all("killed after" if after else "killed before")
        try:
            with killed_at(call, after=after):
                self.work(turns=2)
        except Killed:
            connection.close()  # its session ends with it, and with the session its locks

    @rule()
    def beat(self) -> None:
        self.all("sweep")
        sweep()

    @rule(passes=st.sampled_from(list(TIMES)))
    def time_passes(self, passes: str) -> None:
        self.all(passes)
        later(TIMES[passes])
        sweep()

    @rule()
    def the_list_is_read(self) -> None:
        self.all("read events")
        with suppress(StepFailed):
            webhooks.read_what_never_came()

    # --- what the provider does ---------------------------------------------------------------------------------------

    def deliver(self) -> None:
        end_what_is_due()
        while self.courier.deliver_due():
            pass

    @rule()
    def the_courier_delivers(self) -> None:
        self.all("deliver")
        self.deliver()

    @rule(pick=st.integers(0, 2), which=st.integers(0, 9))
    def an_old_event_comes_again(self, pick: int, which: int) -> None:
        order = self.one(pick, "old event")
        events = list(WebhookEvent.objects.filter(order=order))
        if events:
            self.redeliver(events[which % len(events)])

    def redeliver(self, event: WebhookEvent) -> None:
        url, header = f"{django_settings.INTERNAL_URL}/webhooks/stripe/", stripe_signature(event.body)
        assert self.http.post(url, content=event.body, headers=header).status_code == 200

    @rule(kinds=st.lists(st.sampled_from(FaultKind), min_size=1, max_size=3, unique=True), times=st.integers(1, 3))
    def the_provider_fails(self, kinds: list[FaultKind], times: int) -> None:
        for kind in kinds:
            self.all(kind)
            faults.add(kind, left=times, delay=WAITS.get(kind))

    @rule()
    def the_provider_is_away(self) -> None:
        self.all("away")
        django_settings.PAYMENT_API_BASE = "http://127.0.0.1:9"

    @precondition(lambda self: self.reachable != django_settings.PAYMENT_API_BASE)
    @rule()
    def the_provider_is_back(self) -> None:
        django_settings.PAYMENT_API_BASE = self.reachable

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def no_money_is_where_it_must_not_be(self) -> None:
        orders = {order.number: order for order in Order.objects.filter(number__in=self.orders).select_related("drop")}
        for number, entry in self.ledger():
            order = orders[number]
            assert entry.captured in (0, PRICE), f"order {number}: {entry.captured} captured"
            assert entry.refunds <= 1, f"order {number}: {entry.refunds} refunds"
            if entry.captured:
                assert order.events.filter(what="approved").exists(), f"order {number}: captured, not approved"
            if order.state in FINAL and not self.away_with_late_news(order):
                assert not entry_problem(entry, order), f"order {number}: {entry_problem(entry, order)}"
            if order.outcome == Outcome.PAYMENT_TIMEOUT:
                assert not self.was_paid(entry), f"order {number} was paid in time and timed out"

    @invariant()
    def no_pair_is_promised_twice(self) -> None:
        pairs = Pair.objects.filter(drop=self.drop) if self.orders else Pair.objects.none()
        held = Order.objects.filter(number__in=self.orders, pair__isnull=False)
        assert sorted(pairs.exclude(state=PairState.ON_SALE).values_list("pk", flat=True)) == sorted(
            held.values_list("pair", flat=True)
        )

    def away_with_late_news(self, order: Order) -> bool:
        """A refund that fails after it was called done is news that its order still has to hear."""
        return (
            Intent.objects.get(metadata__order=str(order.number))
            .charges.filter(refunds__status=RefundStatus.FAILED)
            .exists()
        )

    def was_paid(self, entry: LedgerEntry) -> bool:
        return Intent.objects.filter(ref=entry.intent_ref, charges__status=ChargeStatus.SUCCEEDED).exists()

    def ledger(self) -> Iterator[tuple[int, LedgerEntry]]:
        """The provider's books for these orders. PayLab is asked directly, past the faults that it plays."""
        from orders.payments.paylab import objects

        numbers = [str(number) for number in self.orders]
        for intent in Intent.objects.filter(metadata__order__in=numbers).prefetch_related("charges__refunds"):
            entry = stripe.ledger_entry(objects.intent_json(intent, {"latest_charge": {"refunds": {}}}))
            assert entry.order_number is not None
            yield entry.order_number, entry

    # --- the end ------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """All is well again, and everything must come to rest: each order final, its money and its pair in place."""
        django_settings.PAYMENT_API_BASE = self.reachable
        be_patient(8)
        Fault.objects.all().delete()
        self.come_to_rest()
        self.courier.hands.shutdown()
        self.courier.http.close()
        self.http.close()
        orders = list(Order.objects.filter(number__in=self.orders))
        assert [order.state for order in orders if order.state not in FINAL] == []
        self.no_money_is_where_it_must_not_be()
        self.no_pair_is_promised_twice()
        paid = {number for number, entry in self.ledger() if entry.captured}
        for order in orders:
            told = [mail.kind for mail in order.mails.all()]
            last = Step.SEND_CONFIRMATION if order.state == State.SHIPPED else Step.SEND_APOLOGY
            assert told.count(last) == 1, f"order {order.number}: {told}"
            assert order.state != State.SHIPPED or order.number in paid, f"order {order.number} was never paid"
        clock.offset = timedelta(0)

    def come_to_rest(self) -> None:
        mine = Work.objects.filter(order__in=self.orders)
        for passes in (
            ["a minute"] * 8 + ["the time to pay", "a minute"] * 2 + ["the time to decide"] + ["a minute"] * 12
        ):
            self.deliver()
            sweep()
            self.work(turns=10)
            still = Order.objects.filter(number__in=self.orders).exclude(state__in=FINAL).exists()
            if not still and not mine.exists():
                break
            later(TIMES[passes])
        # The list of events brings what was lost: a refund that failed after its order was done.
        later(TIMES["a minute"])
        webhooks.read_what_never_came()
        for _ in range(5):
            self.deliver()
            self.work(turns=10)
            later(TIMES["a minute"])


def stripe_signature(body: str) -> dict[str, str]:
    from stripe import WebhookSignature

    secret = django_settings.PAYMENT_WEBHOOK_SECRETS[0]
    return {"Stripe-Signature": WebhookSignature.generate_signature_header(body, secret, int(time.time()))}


def test_ledger_and_orders_agree_under_every_schedule(strangers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe, "TIME_OUT", stripe.TIME_OUT)  # put right afterwards
    with connection.cursor() as cursor:  # a crash of PostgreSQL itself is not what is tried here
        cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET synchronous_commit = off')
    connection.close()
    begun = time.monotonic()
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=SCHEDULES,
            stateful_step_count=ACTIONS,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # twelve actions are short enough to be read; to shorten them takes long
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    hang_up()
    assert audit().violations == []
    report = {
        "schedules": Money.played,
        "seconds": round(time.monotonic() - begun, 1),
        "met": [[action, state, times] for (action, state), times in sorted(Money.met.items())],
    }
    if path := os.environ.get("QS_SCHEDULES_REPORT"):
        Path(path).write_text(json.dumps(report))
    assert Money.played >= SCHEDULES
