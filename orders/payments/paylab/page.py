"""The hosted page: a person reads what is to be paid and pays it. No cookie takes part."""

from typing import Any

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from orders.payments.paylab import books, cards, clock
from orders.payments.paylab.errors import Missing
from orders.payments.paylab.models import IntentStatus, Session, SessionStatus
from orders.payments.paylab.params import origin

# Currencies without cents: their smallest unit is the whole.
WITHOUT_CENTS = {
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf",
}  # fmt: skip
SIGNS = {"usd": "$", "eur": "€", "gbp": "£"}


class SeeOther(HttpResponseRedirect):
    status_code = 303


@csrf_exempt  # the page's address is the customer's credential
@never_cache
@sensitive_post_parameters("card")
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, ref: str) -> HttpResponse:
    """402: this card did not work, the page takes another. 410: nobody can pay here any more."""
    try:
        session = books.look_up(ref)
    except Missing:
        return show(request, "missing", None, status=404)
    if request.method != "POST":
        return show_state(request, session)
    if session.status == SessionStatus.OPEN:
        try:
            session = try_to_pay(request, ref)
        except cards.UnusableCard as error:
            return show(request, "open", session, status=402, problem=str(error))
    if bank_asks(session):
        return show(request, "bank", session, status=200)
    if session.status == SessionStatus.OPEN:
        failed = session.intent.latest_charge
        words = f"{failed.failure_message} Nothing was charged." if failed else ""
        return show(request, "open", session, status=402, problem=words)
    if session.status == SessionStatus.COMPLETE:  # just now, or by the first of two clicks
        return SeeOther(success_url(session))
    return show_state(request, session)


def try_to_pay(request: HttpRequest, ref: str) -> Session:
    """A card, or the answer to the question of its bank. Raises UnusableCard."""
    if word := request.POST.get("bank"):
        return books.confirm(ref, yes=word == "yes")
    return books.pay(ref, cards.find(request.POST.get("card", "")))


def bank_asks(session: Session) -> bool:
    intent = getattr(session, "intent", None)
    return session.status == SessionStatus.OPEN and intent is not None and intent.status == IntentStatus.REQUIRES_ACTION


def show_state(request: HttpRequest, session: Session) -> HttpResponse:
    if bank_asks(session):
        return show(request, "bank", session, status=200)
    return show(request, session.status, session, status=410 if session.status == SessionStatus.EXPIRED else 200)


def show(request: HttpRequest, state: str, session: Session | None, *, status: int, problem: str = "") -> HttpResponse:
    """The page in one of its states: open, bank, complete, expired, missing."""
    usual = [card for card in cards.CARDS.values() if card.fault is None]
    faulty = [card for card in cards.CARDS.values() if card.fault]
    context: dict[str, Any] = {"state": state, "session": session, "problem": problem, "usual": usual, "faulty": faulty}
    allowed = []
    if session:
        intent = getattr(session, "intent", None)
        now = clock.now()
        context |= {
            "amount": money(session.amount, session.currency),
            "held": intent is not None and intent.status == IntentStatus.REQUIRES_CAPTURE,
            "released": intent is not None and intent.status == IntentStatus.CANCELED,
            "back": success_url(session) if state == SessionStatus.COMPLETE else session.cancel_url,
            "now": now.timestamp(),
            "expires": session.expires_at.timestamp(),
            "minutes_left": max(1, round((session.expires_at - now).total_seconds() / 60)),
        }
        # A form's redirect counts as its target: the shop the customer is sent back to must be allowed.
        allowed = [origin(session.success_url)]

    response = render(request, "paylab/pay.html", context, status=status)
    csp_update({"form-action": allowed})(lambda _: response)(request)
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response


def success_url(session: Session) -> str:
    return session.success_url.replace("{CHECKOUT_SESSION_ID}", session.ref)


def money(amount: int, currency: str) -> str:
    """29900 and usd: `$299.00`."""
    number = f"{amount:,}" if currency in WITHOUT_CENTS else f"{amount / 100:,.2f}"
    return f"{SIGNS[currency]}{number}" if currency in SIGNS else f"{number} {currency.upper()}"
