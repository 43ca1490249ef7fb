"""Pages for the printer. An order that is not approved, or that was undone, is on none of them."""

from collections.abc import Callable
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from fulfillment.packing.lists import PER_PRINT, drops_with_parcels, shelves, to_pack
from fulfillment.views import View, refuse, staff_with
from orders import clock
from orders.errors import Refused
from orders.models import Drop, Order


def shippers_only(view: View) -> View:
    return require_safe(staff_with("fulfillment.pack_orders", refusal="You need the permission to pack orders.")(view))


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
    named = {int(word) for word in request.GET.getlist("order") if word.isdecimal() and len(word) < 19}
    if len(named) > PER_PRINT:
        text = f"At most {PER_PRINT} slips at once, please. A drop's own page prints all that it has."
        return refuse(request, Refused(text))
    orders = list(to_pack(Order.objects.filter(number__in=named)))
    if not orders:
        return refuse(request, Refused("None of these orders is approved, so there is nothing to pack."))
    left_out = sorted(named - {order.number for order in orders})
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
