"""The review desk: the list of open reviews, one review, and the door through which a decision comes in.

A decision takes effect at once: there is no time in which to withdraw it yet. `undo=N` is therefore read as 0, and
`decision=undo` is refused.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from fulfillment.decisions import NotAllowed, decide_review, may_decide, refuse_own_order
from fulfillment.models import Decision
from fulfillment.reasons import OVERRULED, REASONS, Verdict
from fulfillment.reviews import TimeLeft, in_review, listed, time_left
from orders import clock
from orders.errors import Refused
from orders.models import Order
from orders.states import Level, State
from orders.storefront.answers import wants_json
from orders.storefront.bodies import JSON, parse_json, read_body, refuse_unreadable
from orders.storefront.refusals import Malformed, NotFound
from orders.storefront.status import iso

PER_PAGE = 100  # rows; more of them would make the page larger than 80 KB
STATUS_OF = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
}  # every other refusal is a conflict with how things stand


View = Callable[..., HttpResponse]


def reviewers_only(view: View) -> View:
    """Whoever has not logged in is sent to the log-in, or told 403 where JSON was asked for."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated and not asks_json(request):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if not may_decide(request.user):
            return refuse(request, NotAllowed("You need to log in as a reviewer."))
        return view(request, *args, **kwargs)

    return never_cache(guarded)


def asks_json(request: HttpRequest) -> bool:
    return request.GET.get("format") == "json" or wants_json(request)


def refuse(request: HttpRequest, refusal: Refused) -> HttpResponse:
    status = STATUS_OF.get(refusal.code, HTTPStatus.CONFLICT)
    if asks_json(request):
        return JsonResponse({"error": refusal.code, "detail": str(refusal)}, status=status)
    return render(request, "fulfillment/problem.html", {"detail": str(refusal)}, status=status)


@require_safe
@reviewers_only
def desk(request: HttpRequest) -> HttpResponse:
    """What waits for a decision, most urgent first: a page of rows, or all of them as JSON."""
    level = request.GET.get("level", "")
    reviews = listed(in_review(level))
    if asks_json(request):
        return JsonResponse({"reviews": [as_json(order) for order in reviews]})
    counts = dict(in_review().order_by().values_list("level").annotate(Count("number")))
    page = Paginator(reviews, PER_PAGE).get_page(request.GET.get("page"))
    rows = [(order, TimeLeft(order.opened_at, order.deadline_at, order.now)) for order in page.object_list]
    filters = [("", "All", sum(counts.values()))]
    filters += [(value, label, counts.get(value, 0)) for value, label in reversed(Level.choices)]
    shown = {"page": page, "rows": rows, "filters": filters, "level": level, "now": clock.now()}
    return render(request, "fulfillment/desk.html", shown)


def as_json(order: Any) -> dict[str, Any]:
    return {
        "orderId": str(order.public_id),
        "number": order.number,
        "score": order.score,
        "level": order.level or None,
        "deadline": iso(order.deadline_at),
        "size": int(order.size) if order.size == int(order.size) else float(order.size),
        "lockedBy": None,
        "secondApproval": False,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@reviewers_only
def review(request: HttpRequest, order_id: str) -> HttpResponse:
    """One order with everything that a decision needs; a POST decides it."""
    try:
        public_id = UUID(order_id)
        return decide(request, public_id) if request.method == "POST" else show(request, public_id)
    except (ValueError, Order.DoesNotExist):
        return refuse(request, NotFound("There is no such order."))
    except Refused as refusal:
        return refuse(request, refusal)


def decide(request: HttpRequest, public_id: UUID) -> HttpResponse:
    assert isinstance(request.user, User)
    words = read_words(request)
    try:
        decision = decide_review(public_id=public_id, reviewer=request.user, **words)
    except Refused as refusal:
        if asks_json(request) or isinstance(refusal, NotAllowed):
            return refuse(request, refusal)
        return show(request, public_id, words=words, refusal=refusal)
    if asks_json(request):
        return JsonResponse(
            {
                "orderId": str(public_id),
                "number": decision.order_id,
                "decision": decision.verdict,
                "reason": decision.reason,
                "status": decision.order.state,
            }
        )
    done = "approved" if decision.verdict == Verdict.APPROVE else "rejected"
    messages.success(request, f"Order {decision.order_id} is {done}.")
    return HttpResponseRedirect(reverse("fulfillment:desk"), status=HTTPStatus.SEE_OTHER)


def read_words(request: HttpRequest) -> dict[str, str]:
    """The decision as sent, form or JSON. Raises Malformed."""
    sent = parse_json(read_body(request)) if request.content_type == JSON else request.POST
    words = {}
    for name, key in (("verdict", "decision"), ("reason", "reason"), ("note", "note")):
        word = sent.get(key)
        if not isinstance(word, str | None):
            raise Malformed("decision, reason and note must be text.")
        words[name] = word or ""
    refuse_unreadable(words)
    return words


def show(
    request: HttpRequest, public_id: UUID, *, words: dict[str, str] | None = None, refusal: Refused | None = None
) -> HttpResponse:
    """The review's page; a refused decision comes back with its words kept. Raises NotAllowed for one's own order."""
    assert isinstance(request.user, User)
    order = Order.objects.select_related("drop", "payment", "shipment").get(public_id=public_id)
    refuse_own_order(order, request.user)
    words = words or {}
    left = time_left(order) if order.state == State.AWAITING_APPROVAL else None
    forms = [
        {
            "verdict": verdict,
            "reasons": REASONS[verdict],
            "note_required": order.level == OVERRULED[verdict],
            "words": words if words.get("verdict") == verdict else {},
        }
        for verdict in Verdict
    ]
    shown = {
        "order": order,
        "time": left,
        "forms": forms,
        "refusal": refusal,
        "events": order.events.all(),
        "mails": order.mails.all(),
        "decision": Decision.objects.filter(order=order).select_related("reviewer").first(),
        "now": clock.now(),
    }
    status = STATUS_OF.get(refusal.code, HTTPStatus.CONFLICT) if refusal else HTTPStatus.OK
    return render(request, "fulfillment/review.html", shown, status=status)
