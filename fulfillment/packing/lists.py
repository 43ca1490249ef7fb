"""Which orders are to be packed, and in which order somebody walks along the shelf."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from django.db.models import Count, Q, QuerySet

from orders.models import Drop, Order
from orders.states import State

PACKED_IN = (State.APPROVED, State.SHIPPED)
PER_PRINT = 500  # orders


def to_pack(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Those that a reviewer approved and nothing undid, by size and pair number, with all that is printed of them."""
    chosen = orders.filter(state__in=PACKED_IN).select_related("drop", "shipment")
    return chosen.order_by("drop", "size", "pair_number")


def drops_with_parcels() -> QuerySet[Drop]:
    """Each drop with how many parcels wait for their tracking number and how many have one; the newest first."""
    return Drop.objects.annotate(
        approved=Count("orders", filter=Q(orders__state=State.APPROVED)),
        shipped=Count("orders", filter=Q(orders__state=State.SHIPPED)),
    ).order_by("-opens_at", "-pk")


@dataclass(frozen=True)
class Shelf:
    """The pairs of one size to be taken."""

    size: Decimal
    orders: list[Order]


def shelves(orders: Iterable[Order]) -> list[Shelf]:
    """The pick list; `orders` come by size."""
    return [Shelf(size, list(of_size)) for size, of_size in groupby(orders, key=lambda order: order.size)]
