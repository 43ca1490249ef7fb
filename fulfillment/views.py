"""One review, and the door through which a decision comes in.

A decision takes effect at once, or after `undo=N` seconds until when `decision=undo` withdraws it. Words beside the
contract's: `decision=lock`, `take_over` and `leave`, with which a reviewer holds an order for a while, and `next`, sent
by our own form, which leads on to the next review instead of back to the desk.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fulfillment.decisions import (
    InvalidDecision,
    NotAllowed,
    decide_review,
    last_decision,
    locked_for,
    needs_four_eyes,
    refuse_own_order,
    refuse_second_decision,
    standing,
    withdraw,
)
from fulfillment.detail import detail_of
from fulfillment.filters import Filters
from fulfillment.following import claim_first, following
from fulfillment.locks import leave, lock_of, take_lock
from fulfillment.models import Decision
from fulfillment.reasons import REASONS, Verdict, overrules
from fulfillment.reviews import time_left
from orders import clock
from orders.errors import Refused
from orders.models import Order, StoredDecision
from orders.risk.explanation import explanation_of
from orders.states import State
from orders.storefront.answers import wants_json
from orders.storefront.bodies import JSON, parse_json, read_body, refuse_unreadable
from orders.storefront.refusals import Malformed, NotFound
from orders.workflow import order_in_review

UNDO = 10  # seconds that the pages give to withdraw a decision
NUMBERS = ("undo", "score")  # words that JSON may send as such
STATUS_OF = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
}  # every other refusal is a conflict with how things stand


View = Callable[..., HttpResponse]


def staff_with(*permissions: str, refusal: str = "You need a permission to see this page.") -> Callable[[View], View]:
    """Whoever has not logged in is sent to the log-in, or told 403 where JSON was asked for; no cache keeps it."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated and not asks_json(request):
                return redirect_to_login(page_of(request, kwargs.get("order_id")), reverse("admin:login"))
            if not (request.user.is_staff and request.user.has_perms(permissions)):
                return refuse(request, NotAllowed(refusal))
            return view(request, *args, **kwargs)

        return never_cache(guarded)

    return guard


reviewers_only = staff_with("fulfillment.decide_review", refusal="You need to log in as a reviewer.")


def page_of(request: HttpRequest, order_id: str | None) -> str:
    """Where somebody goes on who had to log in first: this page, or the one whose form they sent to a door of POSTs."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    query = request.META["QUERY_STRING"]
    return page_at(order_id) + (f"?{query}" if query else "")


def page_at(order_id: UUID | str | None) -> str:
    """The address of this review, or of the desk where there is none."""
    return reverse("fulfillment:review", args=[order_id]) if order_id else reverse("fulfillment:desk")


def asks_json(request: HttpRequest) -> bool:
    return request.GET.get("format") == "json" or wants_json(request)


def refuse(request: HttpRequest, refusal: Refused) -> HttpResponse:
    """The refusal as JSON or as a page of its own, with the status that is its code's."""
    status = STATUS_OF.get(refusal.code, HTTPStatus.CONFLICT)
    if asks_json(request):
        return JsonResponse({"error": refusal.code, "detail": str(refusal)}, status=status)
    return render(request, "fulfillment/problem.html", {"detail": str(refusal)}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@reviewers_only
def review(request: HttpRequest, order_id: str) -> HttpResponse:
    """One order with everything that a decision needs; a POST decides it."""
    try:
        public_id = read_id(order_id)
        return decide(request, public_id) if request.method == "POST" else show(request, public_id)
    except Order.DoesNotExist:
        return refuse(request, NotFound("There is no such order."))
    except Refused as refusal:
        return refuse(request, refusal)


def decide(request: HttpRequest, public_id: UUID) -> HttpResponse:
    assert isinstance(request.user, User)
    words = read_words(request, "decision", "reason", "note", "undo", "score")
    act = words.pop("decision")
    if act in HOLDING:
        return hold(request, public_id, act)
    try:
        if act == "undo":
            return withdrawn(request, withdraw(public_id=public_id, reviewer=request.user))
        undo, seen = read_undo(words.pop("undo")), words.pop("score")
        filters = Filters(request)
        waiting = following(filters, public_id) if "next" in request.POST else []
        decision = decide_review(public_id=public_id, reviewer=request.user, verdict=act, undo=undo, seen=seen, **words)
    except Refused as refusal:
        words["verdict"] = act
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
            | ({"error": "second_approval_needed"} if decision.needs_second else {}),
            status=HTTPStatus.ACCEPTED if decision.needs_second else HTTPStatus.OK,
        )
    if decision.needs_second and "next" not in request.POST:
        messages.info(request, f"Your approval of order {decision.order_id} is kept. A colleague gives the second one.")
        return show(request, public_id, status=HTTPStatus.ACCEPTED)
    if not (undo or decision.needs_second):  # else the next page tells of it, with the button that withdraws it
        done = "approved" if decision.verdict == Verdict.APPROVE else "rejected"
        messages.success(request, f"Order {decision.order_id} is {done}.")
    return to_review(claim_first(waiting, request.user), filters)


def to_review(public_id: UUID | None, filters: Filters) -> HttpResponse:
    """On to this order, or back to the desk where there is none."""
    return HttpResponseRedirect(page_at(public_id) + filters.query, status=HTTPStatus.SEE_OTHER)


def withdrawn(request: HttpRequest, decision: Decision) -> HttpResponse:
    """Back to the order, which is open again."""
    if asks_json(request):
        return JsonResponse({"orderId": str(decision.order.public_id), "number": decision.order_id, "decision": "undo"})
    messages.success(request, f"Your decision on order {decision.order_id} is withdrawn.")
    return to_review(decision.order.public_id, Filters(request))


HOLDING = ("lock", "take_over", "leave")


def hold(request: HttpRequest, public_id: UUID, act: str) -> HttpResponse:
    """Hold the order for this reviewer, take it over, or let it go.

    Raises NotAllowed, Locked, and as decide_review what stands against deciding it: who gave the first approval does
    not keep the second person away.
    """
    assert isinstance(request.user, User)
    with transaction.atomic():
        order = locked_for(public_id, request.user)
        if act == "leave":
            leave(order, request.user)
        else:
            order_in_review(order.number)
            refuse_second_decision(standing(order), request.user)
            take_lock(order, request.user, over=act == "take_over")
    if asks_json(request):
        return JsonResponse({"orderId": str(public_id), "lockedBy": None if act == "leave" else str(request.user)})
    return to_review(None if act == "leave" else public_id, Filters(request))


def read_undo(text: str) -> int:
    """Seconds. Raises InvalidDecision."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise InvalidDecision("undo must be a number of seconds.")
    return int(text)


def read_id(text: str) -> UUID:
    """Raises Order.DoesNotExist: no order has what is no id."""
    try:
        return UUID(text)
    except ValueError as error:
        raise Order.DoesNotExist from error


def read_words(request: HttpRequest, *names: str) -> dict[str, str]:
    """What was sent under these names, form or JSON; empty where it is missing. Raises Malformed."""
    sent = parse_json(read_body(request)) if request.content_type == JSON else request.POST
    words = {}
    for name in names:
        word = sent.get(name)
        if name in NUMBERS and isinstance(word, int) and not isinstance(word, bool):
            word = str(word)
        if not isinstance(word, str | None):
            raise Malformed(f"{name} must be {'a number' if name in NUMBERS else 'text'}.")
        words[name] = word or ""
    refuse_unreadable(words)
    return words


def show(
    request: HttpRequest,
    public_id: UUID,
    *,
    words: dict[str, str] | None = None,
    refusal: Refused | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    """The review's page; a refused decision comes back with its words kept. Raises NotAllowed for one's own order."""
    assert isinstance(request.user, User)
    related = ("drop", "payment", "shipment", "evidence", "signals")
    order = Order.objects.select_related(*related).defer("signals__raw").get(public_id=public_id)
    refuse_own_order(order, request.user)
    words = words or {}
    left = time_left(order) if order.state == State.AWAITING_APPROVAL else None
    order.now = clock.now()
    detail = detail_of(order, request.user, left)
    decisions = [decision for decision in detail["decisions"] if decision.withdrawn_at is None]
    forms = [
        {
            "verdict": verdict,
            "reasons": REASONS[verdict],
            "note_required": overrules(verdict, order.level) and not detail["blind"],
            "words": words if words.get("verdict") == verdict else {},
        }
        for verdict in Verdict
    ]
    filters = Filters(request)
    around = following(filters, public_id)
    shown = {
        "order": order,
        "filters": filters,
        "following": around[0] if around else None,
        "preceding": around[-1] if around else None,
        "last": last_decision(request.user),
        "time": left,
        "forms": [] if detail["barred"] else forms,
        "refusal": refusal,
        "explanation": explanation_of(order),
        "decision": next((decision for decision in decisions if not decision.needs_second), None),
        "first_approval": next((decision for decision in reversed(decisions) if decision.needs_second), None),
        "stored": StoredDecision.objects.filter(order=order).first() if left else None,
        "four_eyes": needs_four_eyes(order) and not detail["blind"],
        "lock": lock_of(order) if left else None,
        "undo": UNDO,
        "now": order.now,
    } | detail
    if refusal:
        status = STATUS_OF.get(refusal.code, HTTPStatus.CONFLICT)
    return render(request, "fulfillment/review.html", shown, status=status)
