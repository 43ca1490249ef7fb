"""The drop of the demo."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from orders.models import Drop

NAME = "QuantaSneaks 1000 π"
PRICE = 29900  # cents
SIZES = {Decimal(size): pairs for size, pairs in ((7, 50), (8, 90), (9, 120), (10, 110), (11, 80), (12, 50))}
OPEN_FOR = timedelta(days=3652)


@transaction.atomic
def open_demo_drop(now: datetime) -> Drop:
    """A fresh drop of 500 pairs, on sale now. It becomes the current one: of two that open together, the newer is."""
    drop = Drop.objects.create(name=NAME, price=PRICE, currency="usd", opens_at=now, closes_at=now + OPEN_FOR)
    drop.add_pairs(SIZES)
    return drop
