"""The doors through which a lead removes a link or extends a deadline: form or JSON."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from fulfillment.amendments import extend_deadline, remove_link
from fulfillment.filters import Filters
from fulfillment.views import asks_json, read_id, read_words, refuse, reviewers_only, to_review
from orders.errors import Refused
from orders.models import Order
from orders.storefront.refusals import NotFound
from orders.storefront.status import iso


@require_POST
@reviewers_only
def links(request: HttpRequest, order_id: str) -> HttpResponse:
    """`kind` and `reason`: the order is not linked by its phone, its address, ..."""

    def do(public_id: UUID, staff: User) -> tuple[str, dict[str, Any]]:
        words = read_words(request, "kind", "reason")
        order, kind = remove_link(public_id=public_id, staff=staff, **words), words["kind"]
        return f"Order {order.number} is no longer linked by its {kind}.", {"number": order.number, "kind": kind}

    return amend(request, order_id, do)


@require_POST
@reviewers_only
def deadline(request: HttpRequest, order_id: str) -> HttpResponse:
    """`until` and `reason`: the decision has more time."""

    def do(public_id: UUID, staff: User) -> tuple[str, dict[str, Any]]:
        moment = extend_deadline(public_id=public_id, staff=staff, **read_words(request, "until", "reason"))
        return "The decision has more time.", {"deadline": iso(moment)}

    return amend(request, order_id, do)


def amend(request: HttpRequest, order_id: str, do: Callable[[UUID, User], tuple[str, dict[str, Any]]]) -> HttpResponse:
    """Back to the review, which tells what was done."""
    assert isinstance(request.user, User)
    try:
        public_id = read_id(order_id)
        text, told = do(public_id, request.user)
    except Order.DoesNotExist:
        return refuse(request, NotFound("There is no such order."))
    except Refused as refusal:
        return refuse(request, refusal)
    if asks_json(request):
        return JsonResponse({"orderId": str(public_id)} | told)
    messages.success(request, text)
    return to_review(public_id, Filters(request))
