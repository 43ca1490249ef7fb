"""The provider's webhooks: verify, write down once, answer. A worker then asks the provider what is true."""

from typing import Any

import structlog
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from orders import clock
from orders.engine import enqueue
from orders.models import Order, WebhookEvent
from orders.payments import payment_provider
from orders.payments.provider import BadSignature, ProviderEvent
from orders.states import State, Step

log = structlog.get_logger("orders")

LARGEST_EVENT = 256 * 1024  # bytes; Stripe's are under 20 kB
# What to do about the news, by where the order is; elsewhere the order's own steps ask the provider anyway.
ASK = {
    State.AWAITING_PAYMENT: Step.CHECK_PAYMENT,
    State.AWAITING_APPROVAL: Step.CHECK_PAYMENT,
    State.COMPENSATED: Step.CHECK_PAYMENT,
    State.COMPENSATING: Step.COMPENSATE,
}


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """200 for every authentic delivery, repeated, late and unknown ones too; 400 for anything else."""
    try:
        if int(request.headers.get("Content-Length") or 0) > LARGEST_EVENT:
            raise BadSignature("larger than any event")
        body = request.read(LARGEST_EVENT + 1)
        event = payment_provider().parse_webhook(body, request.headers)
    except (BadSignature, ValueError) as error:
        log.warning("webhook refused", reason=str(error))
        return HttpResponse("not a signed event", status=400, content_type="text/plain")
    note(event, body.decode())
    return HttpResponse("ok", content_type="text/plain")


@transaction.atomic
def note(event: ProviderEvent, body: str) -> None:
    """Keep the event, once, and have a worker look at its order."""
    order = Order.objects.select_related("payment").filter(number=event.order_number or 0).first()
    fields: dict[str, Any] = {
        "type": event.type,
        "ref": event.ref,
        "created_at": event.created,
        "received_at": clock.now(),
        "order": order,
        "body": body,
    }
    _, new = WebhookEvent.objects.get_or_create(event_id=event.id, defaults=fields)
    if new and order and order.state in ASK and hasattr(order, "payment") and order.payment.session_ref:
        order.now = fields["received_at"]
        enqueue(order, ASK[State(order.state)])
