"""Every invariant of the shop, asked of the rows themselves and of the provider's own books.

Each check yields findings; none of them changes anything. What a constraint already forbids is asked all the same: the
audit is what tells that a constraint was dropped.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

import structlog
from django.conf import settings
from django.core.mail import mail_admins
from django.db.models import Count, F, Max, OuterRef, Q, Subquery

from orders import clock
from orders.customers import customer_key
from orders.engine import LIFE_LOCKS, ROW_LOCKS, in_hand
from orders.errors import StepFailed
from orders.models import Callback, Drop, Event, Mail, Order, Pair, Reconciliation, SweepBeat, Work
from orders.payments import payment_provider
from orders.payments.provider import LedgerEntry, PaymentState
from orders.states import ANALYSES, ASIDE, FINAL, Actor, PairState, State, Step, Wait

log = structlog.get_logger("orders")

SECOND_LOOK = 2.0  # seconds; on a living shop a finding may be a transaction's half-way house
PICKED_UP_WITHIN = timedelta(seconds=5)
UNTOUCHED_FOR = timedelta(seconds=30)
BUSY_WITHIN = timedelta(seconds=5)
SWEEP_SILENT_FOR = timedelta(seconds=30)
LEDGER_PAGE = 100  # intents looked at together
LEASE_LIMIT = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT + 30)
MAIL_OF = {State.SHIPPED: Step.SEND_CONFIRMATION, State.COMPENSATED: Step.SEND_APOLOGY}


@dataclass(frozen=True)
class Finding:
    """`grave`: a broken invariant; else something to keep an eye on."""

    text: str
    grave: bool = True


Check = Callable[[datetime, bool], Iterator[Finding]]


@dataclass
class Report:
    """What `manage.py audit` prints."""

    orders: int
    by_status: dict[str, int]
    by_outcome: dict[str, int]
    violations: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def audit() -> Report:
    """Every invariant."""
    findings = look_twice(*CHECKS)
    return Report(
        orders=Order.objects.count(),
        by_status=dict(Order.objects.order_by().values_list("state").annotate(Count("number"))),
        by_outcome=dict(Order.objects.exclude(outcome="").order_by().values_list("outcome").annotate(Count("number"))),
        violations=[finding.text for finding in findings if finding.grave],
        warnings=[finding.text for finding in findings if not finding.grave],
    )


def reconcile() -> Reconciliation:
    """Compare the money alone, keep the result and raise the alarm where something differs."""
    differences = [finding.text for finding in look_twice(money)]
    made = Reconciliation.objects.create(at=clock.now(), differences=differences)
    if differences:
        log.error("ledger differs", differences=len(differences))
        mail_admins("The payment ledger differs", "\n".join(differences), fail_silently=True)
    return made


def look_twice(*checks: Check) -> list[Finding]:
    """What is found, and is still so a little later."""
    findings = look(*checks)
    if not findings:
        return []
    time.sleep(SECOND_LOOK)
    again = look(*checks)
    return [finding for finding in findings if finding in again]


def look(*checks: Check) -> list[Finding]:
    now = clock.now()
    last = SweepBeat.objects.values_list("at", flat=True).first()
    awake = last is not None and now - last < SWEEP_SILENT_FOR
    findings: list[Finding] = []
    for check in checks:
        findings.extend(check(now, awake))
    return findings


def orders_named(orders: Iterable[Order | int], text: str, *, grave: bool = True) -> Iterator[Finding]:
    for order in orders:
        yield Finding(f"order {order.number if isinstance(order, Order) else order}: {text}", grave)


def beat(now: datetime, awake: bool) -> Iterator[Finding]:
    if not awake:
        yield Finding("no sweep for more than 30 s: beat or the workers are down", grave=False)


# --- pairs and customers ----------------------------------------------------------------------------------------------


def pairs(now: datetime, awake: bool) -> Iterator[Finding]:
    """on sale + held + sold = all pairs, and each pair's state is what its order says."""
    for drop in Drop.objects.annotate(total=Count("pairs"), last=Max("pairs__number")):
        states: Counter[str] = Counter(dict(drop.pairs.order_by().values_list("state").annotate(Count("id"))))
        if sum(states[state] for state in PairState.values) != drop.total:
            yield Finding(f"drop {drop.pk}: on sale + held + sold is not {drop.total}")
        if drop.total and drop.last != drop.total:
            yield Finding(f"drop {drop.pk}: {drop.total} pairs, but the last number is {drop.last}")
    holders = Order.objects.filter(pair=OuterRef("pk"))
    for pair in (
        Pair.objects.annotate(orders_held=Count("orders"), holder_state=Subquery(holders.values("state")[:1]))
        .exclude(state=PairState.ON_SALE, orders_held=0)
        .exclude(Q(state=PairState.SOLD, orders_held=1, holder_state=State.SHIPPED))
        .exclude(Q(state=PairState.HELD, orders_held=1) & ~Q(holder_state__in=FINAL))
    ):
        yield Finding(
            f"drop {pair.drop_id}: pair {pair.number} is {pair.state}, held by {pair.orders_held} orders"
            f" ({pair.holder_state})"
        )
    yield from orders_named(Order.objects.filter(state=State.SHIPPED, pair=None), "shipped without a pair")
    yield from orders_named(Order.objects.filter(state=State.COMPENSATED, pair__isnull=False), "undone, holds a pair")
    yield from orders_named(
        Order.objects.filter(pair__isnull=False).exclude(pair__number=F("pair_number")), "holds another pair's number"
    )


def customers(now: datetime, awake: bool) -> Iterator[Finding]:
    """At most one live order per mailbox and drop, computed afresh from the e-mail as typed."""
    seen: dict[tuple[int, str], int] = {}
    for number, drop, email in Order.objects.live().values_list("number", "drop", "email").iterator():
        first = seen.setdefault((drop, customer_key(email)), number)
        if first != number:
            yield Finding(f"orders {first} and {number}: the same customer twice in drop {drop}")


# --- money ------------------------------------------------------------------------------------------------------------


def money(now: datetime, awake: bool) -> Iterator[Finding]:
    """The provider's ledger, intent by intent, against the orders. Our own payment rows are not asked."""
    wanting = {State.AWAITING_APPROVAL: "holds no authorised money", State.SHIPPED: "was never paid"}
    paid: set[int] = set()
    try:
        books = ((entry.order_number, entry) for entry in payment_provider().ledger())
        ours = ((number, entry) for number, entry in books if number is not None)
        while page := list(islice(ours, LEDGER_PAGE)):
            orders = Order.objects.select_related("drop").in_bulk([number for number, _ in page])
            for number, entry in page:
                if problem := entry_problem(entry, orders.get(number)):
                    yield Finding(f"payment {entry.intent_ref} of order {number}: {problem}")
                if entry.state in (PaymentState.AUTHORISED, PaymentState.CAPTURED):
                    paid.add(number)
    except StepFailed as error:
        yield Finding(f"the provider's ledger could not be read: {error}")
        return
    for state, problem in wanting.items():
        for number in Order.objects.filter(state=state).values_list("number", flat=True).iterator():
            if number not in paid:
                yield Finding(f"order {number}: {state} but {problem}")


def entry_problem(entry: LedgerEntry, order: Order | None) -> str:
    """What is wrong with one line of the ledger; empty if nothing is."""
    holds = entry.state == PaymentState.AUTHORISED
    kept = entry.captured - entry.refunded
    if order is None:
        return "money for an order that does not exist" if holds or kept else ""
    exact = entry.amount == order.drop.price and entry.currency == order.drop.currency
    match order.state:
        case State.SHIPPED:
            if holds or (kept and (not exact or entry.captures != 1 or entry.captured != order.drop.price)):
                return "shipped, but not captured exactly once in the exact amount"
            if entry.refunds:
                return "shipped, but refunded"
        case State.COMPENSATED:
            if holds or kept:
                return "undone, but money is kept"
            if entry.refunds > 1:
                return "refunded more than once"
        case State.PROCESSING:
            if holds or kept:
                return "authorised before its page was opened"
        case State.AWAITING_PAYMENT | State.AWAITING_APPROVAL:
            if kept:
                return "captured before a person approved"
            if holds and not exact:
                return "authorised in another amount"
    return ""


# --- waits, journal, work ---------------------------------------------------------------------------------------------


def waits(now: datetime, awake: bool) -> Iterator[Finding]:
    """One open callback for each waiting order, of the right kind, and none elsewhere; deadlines are picked up."""
    kinds = {State.AWAITING_PAYMENT: Wait.PAYMENT, State.AWAITING_APPROVAL: Wait.APPROVAL}
    counted = Order.objects.annotate(
        open_waits=Count("callbacks", filter=Q(callbacks__resolved_at__isnull=True)),
        kind=Max("callbacks__kind", filter=Q(callbacks__resolved_at__isnull=True)),
    )
    for state, kind in kinds.items():
        yield from orders_named(
            counted.filter(state=state).exclude(open_waits=1, kind=kind), f"{state} without one open {kind} callback"
        )
    yield from orders_named(counted.exclude(state__in=kinds).filter(open_waits__gt=0), "waits for nothing it could get")
    late = Callback.objects.open().filter(deadline_at__lte=now - PICKED_UP_WITHIN).select_related("order")
    for callback in late:
        text = f"order {callback.order_id}: its {callback.kind} deadline passed and "
        if callback.picked_up_at is None:
            yield Finding(text + "nobody picked it up", grave=awake)
        else:
            yield Finding(text + "its expiry waits for the provider", grave=False)


def journal(now: datetime, awake: bool) -> Iterator[Finding]:
    """The journal folds to the order's state, and each final order told its customer so once."""
    last = Event.objects.filter(order=OuterRef("pk")).order_by("-id")
    yield from orders_named(
        Order.objects.annotate(told=Subquery(last.values("state")[:1]), why=Subquery(last.values("outcome")[:1]))
        .exclude(told=F("state"), why=F("outcome"))
        .iterator(),
        "its journal tells another state",
    )
    for state, kind in MAIL_OF.items():
        counted = Order.objects.filter(state=state).annotate(
            told=Count("mails", filter=Q(mails__kind=kind), distinct=True),
            pending=Count("work", filter=Q(work__step=kind), distinct=True),
        )
        yield from orders_named(counted.filter(told__gt=1), f"{kind} more than once")
        yield from orders_named(counted.filter(told=0, pending=0), f"{state} without {kind}")
        yield from orders_named(counted.filter(told=0, pending=1), f"{kind} is still due", grave=False)
    for row in (
        Mail.objects.exclude(kind=Step.SEND_LINK).values("order", "kind").annotate(n=Count("id")).filter(n__gt=1)
    ):
        yield Finding(f"order {row['order']}: {row['kind']} sent {row['n']} times")


def work(now: datetime, awake: bool) -> Iterator[Finding]:
    """Nobody is stranded, nothing due lies about, no lease is older than a step may take."""
    life = Count("work", filter=~Q(work__step__in=ASIDE))
    moving = (State.PROCESSING, State.APPROVED, State.COMPENSATING)
    yield from orders_named(
        Order.objects.filter(state__in=moving).annotate(steps=life).filter(steps=0), "stranded: nothing comes next"
    )
    # Hands that are busy have a queue before them; idle hands beside due work mean that it was lost sight of.
    busy = Event.objects.filter(actor=Actor.WORKER, at__gt=now - BUSY_WITHIN).exists()
    held = in_hand()
    for row in Work.objects.filter(Q(parked_at__isnull=False) | Q(due_at__lte=now - UNTOUCHED_FOR)):
        text = f"order {row.order_id}: {row.step} "
        if row.parked_at:
            yield Finding(text + "is parked and waits for staff", grave=False)
        elif ((ROW_LOCKS, row.pk) if row.step in ASIDE else (LIFE_LOCKS, row.order_id)) not in held:
            grave = awake and not busy and row.step not in ANALYSES  # a slow language model may have a long queue
            yield Finding(text + "is due and untouched for more than 30 s", grave=grave)
        elif (row.started_at or row.due_at) <= now - LEASE_LIMIT:  # one taken up in time is not marked
            yield Finding(text + "is held for longer than a step may take")


CHECKS: list[Check] = [beat, pairs, customers, money, waits, journal, work]
