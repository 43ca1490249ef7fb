"""What the shop asks of a carrier: take a parcel, or take it back.

The kinds stand beside this file: http.py speaks to the embedded ParcelLab or to a merchant's gateway.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Parcel:
    """What the carrier took."""

    carrier: str
    tracking_number: str


class Carrier(Protocol):
    """Every call has a bounded time. It raises Transient (nothing happened), Unknown (ask first) or Permanent."""

    def ship(self, *, number: int, address: Mapping[str, str], key: str) -> Parcel: ...

    def cancel(self, *, number: int, key: str) -> None:
        """Take the parcel of this order back; one that never was is no error."""
        ...
