"""A carrier over HTTP: the embedded ParcelLab, or a merchant's gateway that speaks like it.

An answer that was lost (a time-out, a broken connection, a 5xx) may hide a parcel: it is Unknown, and the next try
sends the same body with the same Idempotency-Key. That is the question and the order in one: the carrier gives the
parcel it made, or makes it now. Asking by reference first would need a second call and leave a gap between the two.
Taking a parcel back does ask by reference first, because the answer that named it may be the lost one.
"""

from collections.abc import Mapping
from typing import Any

import httpx

from orders.errors import Permanent, Transient, Unknown
from orders.shipping.carrier import Parcel, reference

TIMEOUT = httpx.Timeout(5.0, connect=2.0)  # seconds
NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
REFUSALS = {400, 409, 422}  # about this parcel, for good; other 4xx (a wrong key, too many calls) are about us, for now


class HttpCarrier:
    """Speaks to `base`; the paths and bodies are described in parcellab/views.py."""

    def __init__(
        self, *, base: str, key: str, timeout: httpx.Timeout | float = TIMEOUT, trust_env: bool = True
    ) -> None:
        self.client = httpx.Client(
            base_url=base,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout,
            trust_env=trust_env,
            # An idle connection that the other side closed would make every restart there an Unknown here.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def ship(self, *, number: int, address: Mapping[str, str], key: str) -> Parcel:
        taken = self._ask("POST", "/v1/parcels", key=key, json={"reference": reference(number), **address})
        try:
            parcel = Parcel(carrier=str(taken["carrier"]), tracking_number=str(taken["tracking_number"]))
        except (KeyError, TypeError) as error:
            raise Unknown("the carrier's answer names no parcel") from error
        if taken.get("status") == "cancelled":
            raise Permanent("the carrier has cancelled the parcel")
        return parcel

    def cancel(self, *, number: int, key: str) -> None:
        found = self._ask("GET", "/v1/parcels", params={"reference": reference(number)})
        try:
            live = [parcel["id"] for parcel in found["parcels"] if parcel["status"] != "cancelled"]
        except (KeyError, TypeError) as error:
            raise Unknown("the carrier's list of parcels is not readable") from error
        for parcel_id in live:
            self._ask("POST", f"/v1/parcels/{parcel_id}/cancel", key=key)

    def _ask(self, method: str, path: str, *, key: str = "", **request: Any) -> Any:
        """The carrier's answer as JSON. The texts of the errors name no customer."""
        try:
            answer = self.client.request(method, path, headers={"Idempotency-Key": key} if key else None, **request)
        except NOTHING_SENT as error:
            raise Transient(f"the carrier cannot be reached ({type(error).__name__})") from error
        except httpx.RequestError as error:
            raise Unknown(f"the carrier's answer was lost ({type(error).__name__})") from error
        if answer.status_code >= 500:
            raise Unknown(f"the carrier failed ({answer.status_code})")
        if answer.status_code in REFUSALS:
            raise Permanent(f"the carrier refused ({answer.status_code})")
        if not answer.is_success:
            raise Transient(f"the carrier does not let us in ({answer.status_code})")
        try:
            return answer.json()
        except ValueError as error:
            raise Unknown("the carrier's answer is not readable") from error
