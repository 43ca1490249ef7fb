"""The doors through which a lead removes a link or extends a deadline: form or JSON."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from fulfillment.amendments import extend_deadline, remove_link
from fulfillment.views import asks_json, refuse, reviewers_only
from orders.errors import Refused
from orders.models import Order
from orders.storefront.bodies import JSON, parse_json, read_body, refuse_unreadable
from orders.storefront.refusals import Malformed, NotFound
from orders.storefront.status import iso


@require_POST
@reviewers_only
def links(request: HttpRequest, order_id: str) -> HttpResponse:
    """`kind` and `reason`: the order is not linked by its phone, its address, ..."""

    def do(public_id: UUID, staff: User) -> tuple[str, dict[str, Any]]:
        kind, reason = words(request, "kind", "reason")
        order = remove_link(public_id=public_id, staff=staff, kind=kind, reason=reason)
        return f"Order {order.number} is no longer linked by its {kind}.", {"number": order.number, "kind": kind}

    return amend(request, order_id, do)


@require_POST
@reviewers_only
def deadline(request: HttpRequest, order_id: str) -> HttpResponse:
    """`until` and `reason`: the decision has more time."""

    def do(public_id: UUID, staff: User) -> tuple[str, dict[str, Any]]:
        until, reason = words(request, "until", "reason")
        moment = extend_deadline(public_id=public_id, staff=staff, until=until, reason=reason)
        return "The decision has more time.", {"deadline": iso(moment)}

    return amend(request, order_id, do)


def amend(request: HttpRequest, order_id: str, do: Callable[[UUID, User], tuple[str, dict[str, Any]]]) -> HttpResponse:
    """Back to the review, which tells what was done."""
    assert isinstance(request.user, User)
    try:
        public_id = UUID(order_id)
        text, told = do(public_id, request.user)
    except (ValueError, Order.DoesNotExist):
        return refuse(request, NotFound("There is no such order."))
    except Refused as refusal:
        return refuse(request, refusal)
    if asks_json(request):
        return JsonResponse({"orderId": str(public_id)} | told)
    messages.success(request, text)
    return HttpResponseRedirect(reverse("fulfillment:review", args=[public_id]), status=HTTPStatus.SEE_OTHER)


def words(request: HttpRequest, *names: str) -> list[str]:
    """What was sent under these names, form or JSON. Raises Malformed."""
    sent = parse_json(read_body(request)) if request.content_type == JSON else request.POST
    found = {name: sent.get(name) or "" for name in names}
    if not all(isinstance(word, str) for word in found.values()):
        raise Malformed(f"{' and '.join(names)} must be text.")
    refuse_unreadable(found)
    return list(found.values())
