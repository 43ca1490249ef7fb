"""The customer's doors: each parses, calls one function, renders. No rule lives here."""

import hashlib
import json

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from orders.claims import claim_digest, look
from orders.customers import customer_key
from orders.errors import Refused, SaleNotOpen
from orders.models import Order
from orders.risk import ticket
from orders.risk.limit import count_attempt
from orders.risk.request import read_signals
from orders.storefront.answers import not_allowed, problem, status_of, wants_json
from orders.storefront.bodies import JSON, read_claim
from orders.storefront.forms import ClaimForm
from orders.storefront.landing import page_to_submit_ms, show_landing
from orders.storefront.refusals import CsrfFailed, Invalid, Malformed, NotFound, ServerError, SlowDown
from orders.storefront.status import page_of, read_status, see_order, status_of_claimed
from orders.storefront.timeline import timeline
from orders.wording import money
from orders.workflow import cancel_order, claim_pair
from quantasneaks.addresses import client_address

LONGEST_KEY = 255  # characters
# Mistakes that are mended on the landing page itself; any other refusal has a page of its own.
MENDED_ON_THE_PAGE = {"invalid", "sold_out", "already_claimed", "sale_not_open", "sale_closed"}


def landing(request: HttpRequest) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return not_allowed(request, "GET", "HEAD")
    return show_landing(request)


# --- the claim --------------------------------------------------------------------------------------------------------


@csrf_exempt  # a claim as JSON carries no cookie; the form's branch checks its token below
def claim(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return not_allowed(request, "POST")
    try:
        fields = read_claim(request)
    except Refused as refusal:
        return problem(request, refusal)
    return answer_claim(request, fields) if request.content_type == JSON else answer_form(request, fields)


def answer_claim(request: HttpRequest, fields: dict[str, str]) -> HttpResponse:
    form = ClaimForm(fields)
    try:
        order = take_claim(request, form, claim_digest(fields))
    except Refused as refusal:
        if wants_json(request) or refusal.code not in MENDED_ON_THE_PAGE:
            return problem(request, refusal)
        return show_landing(request, form=form, refusal=refusal, status=status_of(refusal))
    page = page_of(order.public_id)
    if not wants_json(request):
        return HttpResponseRedirect(page, status=303)
    return JsonResponse(status_of_claimed(order), status=201, headers={"Location": page})


answer_form = csrf_protect(answer_claim)


def take_claim(request: HttpRequest, form: ClaimForm, digest: str) -> Order:
    """A replay of a key first, then the rate limit, the form, and the sale itself."""
    sent = request.headers.get("Idempotency-Key") or request.POST.get("idempotency_key", "")
    key = sent if 0 < len(sent) <= LONGEST_KEY else None
    form.full_clean()
    typed = form.cleaned_data
    standing = look(size=typed.get("size"), customer=customer_key(typed.get("email", "")), key=key)
    if standing and (order := standing.replay(digest)):
        return order
    if wait := count_attempt(client_address(request)):
        raise SlowDown(wait)
    if standing and not standing.has_size:
        form.refuse_size()
    mistakes = form.messages()
    if len(sent) > LONGEST_KEY:
        mistakes["Idempotency-Key"] = [f"Please use at most {LONGEST_KEY} characters."]
    if mistakes:
        raise Invalid(mistakes)
    if standing is None:
        raise SaleNotOpen("There is no drop at the moment.")
    signals = read_signals(
        request,
        page_to_submit_ms=page_to_submit_ms(request, standing.now),
        honeypot=bool(request.POST.get("homepage")),
    ) | ticket.read(request.POST.get("ticket", ""), standing.now)
    return claim_pair(standing=standing, claim=form.claim(), raw_signals=signals, key=key, digest=digest)


# --- the order's page -------------------------------------------------------------------------------------------------


def keep_private(response: HttpResponse) -> HttpResponse:
    """The address is a credential: no search engine, no referrer, no shared cache."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def status_page(request: HttpRequest, order_id: str) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return not_allowed(request, "GET", "HEAD")
    try:
        sight = see_order(order_id)
    except Refused as refusal:
        return keep_private(problem(request, refusal))
    context = {
        "sight": sight,
        "order": sight.order,
        "moments": timeline(sight),
        "pairs": sight.order.drop.pairs.count(),
        "price": money(sight.order.drop.price, sight.order.drop.currency),
    }
    return keep_private(render(request, "storefront/status.html", context))


def status(request: HttpRequest, order_id: str) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return not_allowed(request, "GET", "HEAD")
    try:
        body = json.dumps(read_status(order_id)).encode()
    except Refused as refusal:
        return keep_private(problem(request, refusal, as_json=True))
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'  # of all that it says, so that none of it can be stale
    response = get_conditional_response(request, etag=etag) or HttpResponse(body, content_type=JSON)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"  # may be kept, must be asked for again
    return keep_private(response)


@csrf_exempt  # the address is the credential; no cookie takes part
def cancel(request: HttpRequest, order_id: str) -> HttpResponse:
    if request.method != "POST":
        return not_allowed(request, "POST")
    try:
        cancel_order(public_id=see_order(order_id).order.public_id)
    except Refused as refusal:
        return keep_private(problem(request, refusal))
    if wants_json(request):
        return keep_private(JsonResponse(read_status(order_id)))
    return keep_private(HttpResponseRedirect(page_of(order_id), status=303))


# --- what went wrong outside of the views above -----------------------------------------------------------------------


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # Django's signature
    return problem(request, CsrfFailed("The page was open for too long, or cookies are off. Please load it again."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, Malformed("The request could not be read."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, NotFound("The address may be mistyped, or the page is gone."))


def server_error(request: HttpRequest) -> HttpResponse:
    return problem(request, ServerError("It is not your fault. Please try again in a moment."))
