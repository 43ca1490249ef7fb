"""What the shop makes of a carrier's good and bad days: one parcel an order, whatever is lost on the way."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from orders import shipping
from orders.errors import Permanent, Transient, Unknown
from orders.shipping.carrier import Carrier, Parcel, reference
from orders.shipping.http import TIMEOUT, HttpCarrier
from orders.shipping.manual import ManualCarrier
from orders.shipping.parcellab import models as parcellab
from orders.shipping.parcellab import postcodes

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "line2": "",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "GB",
    "phone": "",
}


@pytest.fixture
def carrier(live_server: LiveServer, settings: Settings) -> HttpCarrier:
    return HttpCarrier(base=f"{live_server.url}/parcellab", key=settings.CARRIER_API_KEY, trust_env=False)


def ship(carrier: Carrier, postcode: str = "SW1Y 4JH", number: int = 17) -> Parcel:
    return carrier.ship(number=number, address={**ADDRESS, "postcode": postcode}, key=f"{number}:ship")


def cancel(carrier: Carrier, number: int = 17) -> None:
    carrier.cancel(number=number, key=f"{number}:cancel_shipment")


def live_parcels() -> list[str]:
    return list(parcellab.Parcel.objects.filter(status="accepted").values_list("tracking_number", flat=True))


def test_it_works(carrier: HttpCarrier, settings: Settings) -> None:
    parcel = ship(carrier)
    assert parcel.carrier == "ParcelLab"
    assert live_parcels() == [parcel.tracking_number]
    assert parcellab.Parcel.objects.get().reference == f"{settings.SHOP_ID}-17"


def test_the_same_order_is_shipped_once(carrier: HttpCarrier) -> None:
    assert ship(carrier) == ship(carrier)
    assert len(live_parcels()) == 1


def test_two_orders_have_two_parcels(carrier: HttpCarrier) -> None:
    assert ship(carrier, number=17).tracking_number != ship(carrier, number=18).tracking_number


def test_an_address_the_carrier_refuses_is_permanent(carrier: HttpCarrier) -> None:
    with pytest.raises(Permanent):
        ship(carrier, "REFUSE")


def test_another_address_under_the_same_key_is_permanent(carrier: HttpCarrier) -> None:
    ship(carrier)
    with pytest.raises(Permanent):
        ship(carrier, "E1 6AN")


def test_a_failing_carrier_is_tried_again(carrier: HttpCarrier) -> None:
    for _ in range(postcodes.FAILING_CALLS):
        with pytest.raises(Transient):
            ship(carrier, "FLAKY")
        assert live_parcels() == []
    parcel = ship(carrier, "FLAKY")
    assert live_parcels() == [parcel.tracking_number]


def test_a_parcel_behind_a_lost_answer_is_found_by_the_next_try(carrier: HttpCarrier) -> None:
    with pytest.raises(Unknown):
        ship(carrier, "LOST")
    assert live_parcels() == [ship(carrier, "LOST").tracking_number]


def test_a_parcel_behind_a_time_out_is_found_by_the_next_try(
    live_server: LiveServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postcodes, "TOO_LATE", 3.0)
    impatient, patient = (
        HttpCarrier(base=f"{live_server.url}/parcellab", key=settings.CARRIER_API_KEY, trust_env=False, timeout=timeout)
        for timeout in (1.0, 30.0)
    )
    with pytest.raises(Unknown):
        ship(impatient, "SLOW")
    assert live_parcels() == [ship(patient, "SLOW").tracking_number]


def test_slow_is_slower_than_we_wait() -> None:
    assert TIMEOUT.read is not None
    assert TIMEOUT.read < postcodes.TOO_LATE


def test_a_parcel_can_be_taken_back_also_after_a_lost_answer(carrier: HttpCarrier) -> None:
    with pytest.raises(Unknown):
        ship(carrier, "LOST")
    cancel(carrier)
    assert live_parcels() == []
    cancel(carrier)  # again: nothing left to do


def test_taking_back_what_never_was_is_no_error(carrier: HttpCarrier) -> None:
    ship(carrier, number=18)
    cancel(carrier, number=17)
    assert len(live_parcels()) == 1


def test_a_parcel_that_was_taken_back_is_not_taken_for_shipped(carrier: HttpCarrier) -> None:
    ship(carrier)
    cancel(carrier)
    with pytest.raises(Permanent):
        ship(carrier)


def test_a_wrong_key_is_our_fault_and_not_the_orders(live_server: LiveServer) -> None:
    stranger = HttpCarrier(base=f"{live_server.url}/parcellab", key="wrong", trust_env=False)
    with pytest.raises(Transient) as failure:
        ship(stranger)
    assert not isinstance(failure.value, Unknown)


def test_nothing_happened_where_nobody_listens() -> None:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))  # and never listens
        with pytest.raises(Transient) as failure:
            ship(HttpCarrier(base=f"http://127.0.0.1:{bound.getsockname()[1]}", key="k", trust_env=False))
    assert not isinstance(failure.value, Unknown)


def test_a_connection_that_breaks_after_sending_is_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        broken = HttpCarrier(base=f"http://127.0.0.1:{server.getsockname()[1]}", key="k", trust_env=False, timeout=0.2)
        with pytest.raises(Unknown):  # the kernel takes the bytes, nobody ever answers
            ship(broken)


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"id": "1"}', b"null"])
def test_an_answer_that_is_no_parcel_is_unknown(carrier: HttpCarrier, answer: bytes) -> None:
    carrier.client = httpx.Client(
        base_url="http://carrier.example", transport=httpx.MockTransport(lambda _: httpx.Response(201, content=answer))
    )
    with pytest.raises(Unknown):
        ship(carrier)
    with pytest.raises(Unknown):
        cancel(carrier)


def test_no_error_tells_who_the_customer_is(carrier: HttpCarrier) -> None:
    for postcode in ("REFUSE", "FAIL", "LOST"):
        with pytest.raises((Permanent, Transient)) as failure:
            ship(carrier, postcode, number=len(postcode))
        assert not any(value and value in str(failure.value) for value in ADDRESS.values())


def test_without_a_carrier_the_label_is_written_by_hand() -> None:
    manual = ManualCarrier()
    assert ship(manual) == ship(manual) == Parcel(carrier="", tracking_number=reference(17))
    assert ship(manual, number=18) != ship(manual)
    cancel(manual)


class TestChoice:
    @pytest.fixture(autouse=True)
    def fresh(self) -> Iterator[None]:
        shipping.carrier.cache_clear()
        yield
        shipping.carrier.cache_clear()

    def test_the_demo_ships_over_http(self) -> None:
        chosen: Any = shipping.carrier()
        assert isinstance(chosen, HttpCarrier)
        assert shipping.carrier() is chosen

    def test_without_an_address_of_a_carrier_staff_write_labels(self, settings: Settings) -> None:
        settings.CARRIER_API_BASE = ""
        assert isinstance(shipping.carrier(), ManualCarrier)
