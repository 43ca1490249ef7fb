"""The embedded carrier's own promises, over real HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.core import checks
from django.db import IntegrityError
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from orders.shipping.parcellab import postcodes
from orders.shipping.parcellab.models import Parcel

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {
    "reference": "shop-1",
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "line2": "",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "GB",
    "phone": "",
}


class Api:
    def __init__(self, base: str, key: str) -> None:
        self.client = httpx.Client(
            base_url=f"{base}/parcellab", headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30
        )

    def take(self, key: str = "1:ship", **changes: Any) -> httpx.Response:
        return self.client.post("/v1/parcels", json={**BODY, **changes}, headers={"Idempotency-Key": key})

    def find(self, reference: str = "shop-1") -> list[dict[str, str]]:
        parcels: list[dict[str, str]] = self.client.get("/v1/parcels", params={"reference": reference}).json()[
            "parcels"
        ]
        return parcels

    def cancel(self, parcel_id: str) -> httpx.Response:
        return self.client.post(f"/v1/parcels/{parcel_id}/cancel")


@pytest.fixture
def api(live_server: LiveServer, settings: Settings) -> Iterator[Api]:
    api = Api(live_server.url, settings.CARRIER_API_KEY)
    yield api
    api.client.close()


def test_it_works(api: Api) -> None:
    answer = api.take()
    assert answer.status_code == 201
    parcel = answer.json()
    assert parcel == {**parcel, "reference": "shop-1", "carrier": "ParcelLab", "status": "accepted"}
    assert parcel.keys() == {"id", "reference", "carrier", "tracking_number", "status"}
    assert api.find() == [parcel]


def test_the_same_key_and_body_get_the_same_parcel(api: Api) -> None:
    assert api.take().json() == api.take().json()
    assert Parcel.objects.count() == 1


def test_the_same_call_from_many_at_once_makes_one_parcel(api: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.take(), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["tracking_number"] for answer in answers}) == 1
    assert Parcel.objects.count() == 1


def test_the_same_key_with_another_body_is_a_conflict(api: Api) -> None:
    api.take()
    assert api.take(city="Paris").status_code == 409


def test_a_reference_has_one_live_parcel(api: Api) -> None:
    first = api.take("a").json()
    assert api.take("b").status_code == 409
    api.cancel(first["id"])
    second = api.take("b").json()
    assert [parcel["status"] for parcel in api.find()] == ["accepted", "cancelled"]
    assert second["tracking_number"] != first["tracking_number"]


def test_the_schema_knows_no_second_live_parcel() -> None:
    Parcel.objects.create(reference="shop-1")
    with pytest.raises(IntegrityError, match="parcellab_one_live_parcel_per_reference"):
        Parcel.objects.create(reference="shop-1")


def test_cancelling_twice_is_cancelling_once(api: Api) -> None:
    parcel = api.take().json()
    first, second = api.cancel(parcel["id"]), api.cancel(parcel["id"])
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json() == {**parcel, "status": "cancelled"}
    assert api.take().json()["status"] == "cancelled", "the replay tells the truth of now"


def test_an_unknown_parcel_cannot_be_cancelled(api: Api) -> None:
    assert api.cancel("999999").status_code == 404
    assert api.find("nobody's") == []


@pytest.mark.parametrize("key", ["none", "wrong", "ключ"])
def test_it_only_serves_who_has_the_key(live_server: LiveServer, key: str) -> None:
    headers = {b"Authorization": f"Bearer {key}".encode(), b"Idempotency-Key": b"1:ship"}
    url = f"{live_server.url}/parcellab/v1/parcels"
    with httpx.Client(trust_env=False) as client:
        answers = [
            client.post(url, json=BODY, headers=headers),
            client.get(url, headers=headers),
            client.post(f"{url}/1/cancel", headers=headers),
        ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert not Parcel.objects.exists()


def test_it_needs_an_idempotency_key(api: Api) -> None:
    assert api.take(key="").status_code == 400
    assert api.take(key="x" * 256).status_code == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(api: Api, body: bytes) -> None:
    assert api.client.post("/v1/parcels", content=body, headers={"Idempotency-Key": "k"}).status_code == 400


@pytest.mark.parametrize(
    "changes", [{"city": ""}, {"name": None}, {"country": "Germany"}, {"line1": "x" * 121}, {"name": "a\0b"}]
)
def test_an_incomplete_parcel_is_refused_by_field(api: Api, changes: dict[str, Any]) -> None:
    answer = api.take(**changes)
    assert answer.status_code == 422
    assert answer.json()["fields"].keys() == changes.keys()


def test_refuse_is_for_good(api: Api) -> None:
    assert [api.take(postcode="refuse").status_code for _ in range(2)] == [422, 422]
    assert not Parcel.objects.exists()


def test_fail_never_works(api: Api) -> None:
    assert [api.take(postcode="FAIL").status_code for _ in range(4)] == [503] * 4
    assert not Parcel.objects.exists()


def test_flaky_works_at_the_third_call(api: Api) -> None:
    assert [api.take(postcode="Flaky").status_code for _ in range(4)] == [503, 503, 201, 201]
    assert len(api.find()) == 1


def test_lost_does_the_work_and_hides_it_once(api: Api) -> None:
    assert api.take(postcode="LOST").status_code == 500
    [hidden] = api.find()
    assert api.take(postcode="LOST").json() == hidden


def test_slow_does_the_work_and_answers_too_late(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("orders.shipping.parcellab.views.time.sleep", waits.append)
    first, second = api.take(postcode="SLOW"), api.take(postcode="SLOW")
    assert first.json() == second.json()
    assert waits == [postcodes.TOO_LATE]


def test_the_page_lists_the_postcodes_and_nothing_private(api: Api, live_server: LiveServer) -> None:
    parcel = api.take().json()
    page = httpx.get(f"{live_server.url}/parcellab/", trust_env=False)
    assert page.status_code == 200
    assert all(f"<code>{postcode}</code>" in page.text for postcode in ("REFUSE", "FAIL", "FLAKY", "SLOW", "LOST"))
    assert parcel["tracking_number"] not in page.text
    assert parcel["reference"] not in page.text


def test_production_refuses_it_by_name(settings: Settings) -> None:
    assert "parcellab.E001" not in [found.id for found in checks.run_checks()]
    settings.DEMO = False
    assert "parcellab.E001" in [found.id for found in checks.run_checks()]
