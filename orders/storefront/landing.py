"""What the landing page shows of the drop: how far the sale is, and which sizes are left."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orders.errors import Refused
from orders.models import Drop
from orders.risk import ticket
from orders.risk.request import DEVICE_COOKIE
from orders.states import PairState
from orders.storefront.countries import COUNTRIES
from orders.storefront.forms import ClaimForm
from orders.wording import money, size_text, time_to_decide

FEW = 10  # pairs
DEVICE_LIFE = timedelta(days=90)


@dataclass(frozen=True)
class Size:
    """One size of the drop and how many pairs of it are where."""

    size: Decimal
    pairs: int
    on_sale: int
    held: int

    @property
    def text(self) -> str:
        return size_text(self.size)

    @property
    def availability(self) -> str:
        if not self.on_sale:
            return "sold out"
        return "few left" if self.on_sale <= FEW else "available"


def sizes_of(drop: Drop) -> list[Size]:
    """All sizes, smallest first, in one query."""
    rows = (
        drop.pairs.order_by("size")
        .values("size")
        .annotate(
            pairs=Count("pk"),
            on_sale=Count("pk", filter=Q(state=PairState.ON_SALE)),
            held=Count("pk", filter=Q(state=PairState.HELD)),
        )
    )
    return [Size(**row) for row in rows]


def phase_of(drop: Drop, sizes: list[Size]) -> str:
    """Where the sale stands: soon, open, sold-out or closed."""
    if drop.now < drop.opens_at:
        return "soon"
    if drop.now >= drop.closes_at:
        return "closed"
    return "open" if any(size.on_sale for size in sizes) else "sold-out"


def show_landing(
    request: HttpRequest, *, form: ClaimForm | None = None, refusal: Refused | None = None, status: int = 200
) -> HttpResponse:
    """The drop's page; after a refused claim with its words kept and what is wrong beside them."""
    drop = Drop.objects.current()
    if drop is None:
        return render(request, "storefront/no_drop.html", status=status)
    sizes = sizes_of(drop)
    form = form or ClaimForm()
    form.focus_first_error()
    phase = phase_of(drop, sizes)
    on_sale = sum(size.on_sale for size in sizes)
    pairs = sum(size.pairs for size in sizes)
    context = {
        "drop": drop,
        "price": money(drop.price, drop.currency),
        "time_to_decide": time_to_decide(),
        "phase": phase,
        "sizes": sizes,
        "first_size": next((size.text for size in sizes if size.on_sale), ""),
        "pairs": pairs,
        "on_sale": on_sale,
        "shining": {"soon": pairs, "closed": 0}.get(phase, on_sale),
        "held": sum(size.held for size in sizes if not size.on_sale),
        "form": form,
        "chosen_size": form.data.get("size", ""),
        "chosen_country": form.data.get("country", "").upper(),
        "countries": COUNTRIES.items(),
        "refusal": refusal,
        "key": uuid4(),
        "opened": kept_opening(request) or sign_opening(drop.now),
        "challenge": ticket.issue(drop.now) if phase == "open" else "",
    }
    response = render(request, "storefront/landing.html", context, status=status)
    if DEVICE_COOKIE not in request.COOKIES:
        # Who comes back with another mailbox is seen to be one. It names nobody, and no script can read it.
        response.set_cookie(
            DEVICE_COOKIE,
            secrets.token_urlsafe(16),
            max_age=DEVICE_LIFE,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


# --- when the form was opened: signed, so that a script cannot say it took its time -----------------------------------

signer = Signer(salt="claim form")


def sign_opening(at: datetime) -> str:
    return signer.sign(str(int(at.timestamp() * 1000)))


def kept_opening(request: HttpRequest) -> str:
    """The mark of a form that comes back with mistakes: correcting them is not a quick claim."""
    mark = request.POST.get("opened", "")
    return mark if read_opening(mark) else ""


def read_opening(mark: str) -> int | None:
    """Milliseconds since 1970; None for a claim without a form, or with a forged mark."""
    try:
        return int(signer.unsign(mark))
    except (BadSignature, ValueError):
        return None


def page_to_submit_ms(request: HttpRequest, now: datetime) -> int | None:
    """From the page to the claim."""
    opened = read_opening(request.POST.get("opened", ""))
    return None if opened is None else int(now.timestamp() * 1000) - opened
