"""What the shop asks of a carrier: take a parcel, or take it back.

The kinds stand beside this file: http.py speaks to the embedded ParcelLab or to a merchant's gateway, manual.py is for
a shop whose staff write the labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings


@dataclass(frozen=True)
class Parcel:
    """What the carrier took."""

    carrier: str
    tracking_number: str


class Carrier(Protocol):
    """Every call has a bounded time. It raises Transient (nothing happened), Unknown (may have) or Permanent.

    After Unknown the right next try is the same call with the same key: its answer says what happened before.
    """

    def ship(self, *, number: int, address: Mapping[str, str], key: str) -> Parcel: ...

    def cancel(self, *, number: int, key: str) -> None:
        """Take the parcel of this order back; one that never was is no error."""
        ...


def reference(number: int) -> str:
    """Our name for an order's parcel, at the carrier and on the label; two shops with one carrier do not collide."""
    return f"{settings.SHOP_ID}-{number}"
