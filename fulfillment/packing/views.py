"""Pages for the printer. An order that is not approved, or that was undone, is on none of them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fulfillment.packing.lists import PER_PRINT, drops_with_parcels, shelves, to_pack
from orders import clock
from orders.models import Drop, Order


def shippers_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Whoever has not logged in is sent to the log-in; the pages hold addresses, so no cache keeps them."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if not (request.user.is_staff and request.user.has_perm("fulfillment.pack_orders")):
            return problem(request, "You need the permission to pack orders.", 403)
        return view(request, *args, **kwargs)

    return never_cache(require_safe(guarded))


def problem(request: HttpRequest, detail: str, status: int) -> HttpResponse:
    return render(request, "fulfillment/refused.html", {"detail": detail}, status=status)


@shippers_only
def index(request: HttpRequest) -> HttpResponse:
    drops = Paginator(drops_with_parcels(), 50).get_page(request.GET.get("page"))
    return render(request, "fulfillment/packing/index.html", {"page": drops})


@shippers_only
def packing_list(request: HttpRequest, drop_id: int) -> HttpResponse:
    return show(request, "list", drop_id, lambda page: {"orders": page.object_list})


@shippers_only
def pick_list(request: HttpRequest, drop_id: int) -> HttpResponse:
    return show(request, "pick", drop_id, lambda page: {"shelves": shelves(page.object_list)})


@shippers_only
def drop_slips(request: HttpRequest, drop_id: int) -> HttpResponse:
    return show(request, "slips", drop_id, lambda page: {"orders": page.object_list})


@shippers_only
def order_slips(request: HttpRequest) -> HttpResponse:
    """Slips of the orders that are named in the address: `?order=1&order=2`."""
    named = sorted(
        {int(word) for word in request.GET.getlist("order")[:PER_PRINT] if word.isdecimal() and len(word) < 19}
    )
    orders = list(to_pack(Order.objects.filter(number__in=named)))
    if not orders:
        return problem(request, "None of these orders is approved, so there is nothing to pack.", 409)
    left_out = sorted(set(named) - {order.number for order in orders})
    shown = {"orders": orders, "left_out": left_out, "printed": clock.now()}
    return render(request, "fulfillment/packing/slips.html", shown)


def show(
    request: HttpRequest, name: str, drop_id: int, rows: Callable[["Page[Order]"], dict[str, Any]]
) -> HttpResponse:
    drop = get_object_or_404(Drop, pk=drop_id)
    chosen: QuerySet[Order] = to_pack(drop.orders.all())
    page = Paginator(chosen, PER_PRINT).get_page(request.GET.get("page"))
    shown = {"drop": drop, "page": page, "printed": clock.now(), **rows(page)}
    return render(request, f"fulfillment/packing/{name}.html", shown)
