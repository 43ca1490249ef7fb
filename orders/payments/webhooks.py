"""The inbox: what the provider tells is verified, written down once and answered. A worker then asks what is true.

What never came is read from the provider's own list of events, and goes the same way.
"""

from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from orders import clock
from orders.engine import enqueue
from orders.models import EventsRead, Order, WebhookEvent, WebhookRefusals
from orders.models.rows import insert, read
from orders.payments import payment_provider
from orders.payments.provider import BadSignature, ProviderEvent
from orders.states import Actor, State, Step

log = structlog.get_logger("orders")

LARGEST_EVENT = 256 * 1024  # bytes; Stripe's are under 20 kB
REREAD = timedelta(minutes=2)  # before what was read: an event may have been made before, and seen after
ON_ITS_WAY = timedelta(seconds=20)  # so young, an event may still come by itself
# What to do about the news, by where the order is; elsewhere the order's own steps ask the provider anyway.
ASK = {
    State.AWAITING_PAYMENT: Step.CHECK_PAYMENT,
    State.AWAITING_APPROVAL: Step.CHECK_PAYMENT,
    State.COMPENSATED: Step.CHECK_PAYMENT,
    State.COMPENSATING: Step.COMPENSATE,
}
HAS_PAGE = "SELECT true FROM orders_payment WHERE order_id = %(number)s AND session_ref <> ''"


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """200 for every authentic delivery, repeated, late and unknown ones too; 400 for anything else."""
    try:
        if int(request.headers.get("Content-Length") or 0) > LARGEST_EVENT:
            raise BadSignature("size", "Larger than any event.")
        body = request.read(LARGEST_EVENT + 1)
        event = payment_provider().parse_webhook(body, request.headers)
    except BadSignature as error:
        log.warning("webhook refused", reason=str(error))
        count_refusal(error.reason)
        return HttpResponse("not a signed event", status=400, content_type="text/plain")
    note(event, body.decode())
    return HttpResponse("ok", content_type="text/plain")


def count_refusal(reason: str) -> None:
    if not WebhookRefusals.objects.filter(reason=reason).update(count=F("count") + 1):
        WebhookRefusals.objects.bulk_create(
            [WebhookRefusals(reason=reason, count=1)], ignore_conflicts=True
        )  # of two first ones one is not counted


@transaction.atomic
def note(event: ProviderEvent, body: str) -> bool:
    """Keep the event, once, and have a worker look at its order. Returns whether it was new."""
    order = lock_order(event.order_number)
    kept = WebhookEvent(
        event_id=event.id,
        type=event.type,
        ref=event.ref,
        created_at=event.created,
        received_at=order.now if order else clock.now(),
        order=order,
        body=body,
    )
    new = insert(kept, "ON CONFLICT DO NOTHING")
    if new and order and look_at(order):
        order.commit()
    return new


@transaction.atomic
def replay(event: WebhookEvent, *, who: str) -> bool:
    """Staff want an event's order looked at once more. Returns whether there is anything to look at."""
    order = lock_order(event.order_id)
    if order is None or not look_at(order):
        return False
    order.record("event replayed", actor=Actor.REVIEWER, who=who, event=event.event_id)
    order.commit()
    return True


def lock_order(number: int | None) -> Order | None:
    try:
        return Order.objects.lock(number) if number else None
    except Order.DoesNotExist:
        return None


def look_at(order: Order) -> bool:
    """A worker shall ask the provider about a locked order, where no step of its own is about to."""
    step = ASK.get(State(order.state))
    if step is None or not read(HAS_PAGE, {"number": order.number}):
        return False
    enqueue(order, step)
    return True


def read_what_never_came() -> int:
    """Read the provider's list of events for what its webhooks did not bring. Returns how much that was."""
    now = clock.now()
    EventsRead.objects.get_or_create(defaults={"begun_at": now - REREAD, "until": now - timedelta(days=1)})
    # Of several at once, one reads: the one that moves this time.
    mine = EventsRead.objects.filter(begun_at__lte=now - ON_ITS_WAY)
    if not mine.update(begun_at=now):
        return 0
    since = EventsRead.objects.get().until - REREAD
    missed = 0
    for event, body in payment_provider().events(since):
        if event.created <= now - ON_ITS_WAY and not WebhookEvent.objects.filter(event_id=event.id).exists():
            missed += note(event, body)
    EventsRead.objects.update(until=now - ON_ITS_WAY)
    if missed:
        log.warning("webhooks never came", missed=missed)
    return missed
