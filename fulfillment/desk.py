"""The list of open reviews: its page and JSON, what has changed since, the way into it, and many decisions at once."""

import hashlib
from typing import Any

from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_POST, require_safe

from fulfillment.bulk import MOST, decide_each, preview, withdraw_each
from fulfillment.decisions import LONGEST_UNDO, InvalidDecision, is_blind, last_decision
from fulfillment.filters import LEVELS, UNSEEN, Filters
from fulfillment.following import claim_first, following
from fulfillment.reasons import REASONS, Verdict
from fulfillment.reviews import fingerprint, group_sizes, in_review, listed
from fulfillment.rows import Row
from fulfillment.views import asks_json, refuse, reviewers_only, to_review
from orders import clock
from orders.errors import Refused
from orders.storefront.bodies import refuse_unreadable
from orders.storefront.status import iso
from orders.wording import size_number, size_text

PER_PAGE = MOST  # rows; more of them would make the page larger than 80 KB
CHOICES = [(verdict, [(f"{verdict}:{reason}", reason.label) for reason in REASONS[verdict]]) for verdict in Verdict]
DIGITS = 18  # of an order's number, at most
RENDERED = 60  # seconds for which the same rows are not rendered again for a colleague
SHARED = 3  # seconds for which all who look are told by one fingerprint; half of the pace at which their pages look
FINGERPRINT = "desk-fingerprint"


@require_safe
@reviewers_only
def desk(request: HttpRequest) -> HttpResponse:
    """What waits for a decision, most urgent first: a page of rows, or all of them as JSON."""
    filters = Filters(request)
    if asks_json(request):
        return JsonResponse({"reviews": [as_json(order) for order in listed(filters.reviews())]})
    known = fingerprint()  # before the rows: what changes in between is then seen as a change
    cache.set(FINGERPRINT, known, SHARED)  # or the page's first look could be at an earlier list
    shown = {
        "etag": etag(request, filters, known),
        "last": last_decision(filters.reviewer),
        "choices": CHOICES,
        "now": clock.now(),
    }
    return render(request, "fulfillment/desk.html", shown | rows(request, filters))


def rows(request: HttpRequest, filters: Filters) -> dict[str, Any]:
    """One page of the list, and how many there are of each level."""
    page = Paginator(listed(filters.reviews()), PER_PAGE).get_page(request.GET.get("page"))
    linked = group_sizes(order.link for order in page.object_list)
    levels: dict[str, int] = {}
    sizes = set()
    for level, hidden, size, count in (
        in_review().order_by().values_list("level", "evidence__explored", "size").annotate(Count("number"))
    ):
        level = UNSEEN if hidden else level
        levels[level] = levels.get(level, 0) + count
        sizes.add(size)
    filters.fields["size"].widget.choices = [("", "Any")] + [(size, size_text(size)) for size in sorted(sizes)]
    chosen = filters.chosen.get("level")
    pills = [
        (None, "All", sum(levels.values())),
        *((*level, levels[level[0]]) for level in LEVELS if level[0] in levels),
    ]
    return {
        "filters": filters,
        "levels": [(filters.query_with(level=level), label, count, level == chosen) for level, label, count in pills],
        "page": page,
        "earlier": filters.query_with(page=page.number - 1) if page.has_previous() else None,
        "later": filters.query_with(page=page.number + 1) if page.has_next() else None,
        "rows": [Row.of(order, linked=linked.get(order.link), query=filters.query) for order in page.object_list],
    }


def as_json(order: Any) -> dict[str, Any]:
    """A listed order in the contract's keys; one that is reviewed without its score does not tell it here either."""
    hidden = is_blind(order)
    return {
        "orderId": str(order.public_id),
        "number": order.number,
        "score": None if hidden else order.score,
        "level": None if hidden else order.level or None,
        "deadline": iso(order.deadline_at),
        "size": size_number(order.size),
        "lockedBy": order.locked_by,
        "secondApproval": order.first_approval is not None,
    }


@require_safe
@reviewers_only
def live(request: HttpRequest) -> HttpResponse:
    """The changing parts of the desk's page, or 304. Rendered once for all who look at the same rows."""
    filters = Filters(request)
    tag = etag(request, filters, str(cache.get_or_set(FINGERPRINT, fingerprint, SHARED)))
    fresh = HttpResponse(headers={"ETag": tag})
    answer = get_conditional_response(request, etag=tag, response=fresh) or fresh
    if answer is fresh:
        fresh.content = cache.get_or_set(
            "desk" + tag.strip('"'),
            lambda: render_to_string("fulfillment/_live.html", rows(request, filters)),
            RENDERED,
        )
    return answer


def etag(request: HttpRequest, filters: Filters, known: str) -> str:
    """Of the rows that this person sees at this address while the fingerprint is the one that is `known`."""
    whose = filters.reviewer.pk if filters.chosen.get("held") == "me" else ""
    seen = f"{known} {filters.query} {request.GET.get('page')} {whose}"
    return f'"{hashlib.sha256(seen.encode()).hexdigest()[:16]}"'


@require_POST
@reviewers_only
def start(request: HttpRequest) -> HttpResponse:
    """Hold the most urgent review that is free, and open it."""
    filters = Filters(request)
    return to_review(claim_first(following(filters), filters.reviewer), filters)


@require_POST
@reviewers_only
def bulk(request: HttpRequest) -> HttpResponse:
    """The ticked orders: first what would become of each, then, confirmed, what became of it."""
    filters = Filters(request)
    try:
        numbers, act, note = read_bulk(request)
        if act == "undo":
            lines = withdraw_each(numbers, filters.reviewer)
        else:
            verdict, _, reason = act.partition(":")
            decide = decide_each if "confirm" in request.POST else preview
            words = {"verdict": verdict, "reason": reason, "note": note}
            lines = decide(numbers, filters.reviewer, undo=LONGEST_UNDO, **words)
    except Refused as refusal:
        return refuse(request, refusal)
    rehearsed = act != "undo" and "confirm" not in request.POST
    done = [line for line in lines if line.done]
    shown = {
        "lines": lines,
        "done": done,
        "again": lines if rehearsed else done,
        "filters": filters,
        "act": act,
        "act_label": dict(label for _, labels in CHOICES for label in labels).get(act, ""),
        "verdict": act.partition(":")[0],
        "note": note,
        "rehearsed": rehearsed,
        "undo": LONGEST_UNDO,
        "now": clock.now(),
    }
    return render(request, "fulfillment/bulk.html", shown)


def read_bulk(request: HttpRequest) -> tuple[list[int], str, str]:
    """The orders' numbers, what to do with them, and the note. Raises InvalidDecision, Malformed.

    What the preview refused comes back under a name of its own: it is looked at again, and never decided unseen.
    """
    sent = request.POST.getlist("order")
    if "confirm" not in request.POST:
        sent += request.POST.getlist("refused")
    numbers = [int(text) for text in sent if text.isascii() and text.isdigit() and len(text) <= DIGITS]
    words = {"act": request.POST.get("act", ""), "note": request.POST.get("note", "")}
    refuse_unreadable(words)
    if not 1 <= len(numbers) <= MOST:
        raise InvalidDecision(f"Tick between one and {MOST} orders.")
    return numbers, words["act"], words["note"]
