"""A carrier that moves nothing must not get a real customer's parcel."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def only_in_the_demo(**_: Any) -> list[CheckMessage]:
    if settings.DEMO:
        return []
    return [
        Error(
            "ParcelLab moves no real parcels.",
            hint="Set CARRIER_API_BASE to your carrier's gateway, or leave it empty to write labels by hand.",
            id="parcellab.E001",
        )
    ]
