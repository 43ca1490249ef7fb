"""Parcels: which carrier this shop works with."""

import functools

from django.conf import settings

from orders.shipping.carrier import Carrier
from orders.shipping.manual import ManualCarrier


@functools.cache
def carrier() -> Carrier:
    """The HTTP carrier that CARRIER_API_BASE names; without one, staff write the labels."""
    if not settings.CARRIER_API_BASE:
        return ManualCarrier()
    from orders.shipping.http import HttpCarrier  # a shop without an HTTP carrier does not load its client

    return HttpCarrier(
        base=settings.CARRIER_API_BASE,
        key=settings.CARRIER_API_KEY,
        trust_env=not settings.PARCELLAB,  # the way to our own process leads through nobody's proxy
    )
