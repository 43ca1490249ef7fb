"""The drop's page in every phase of the sale, and the pages for what went wrong."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import path

from orders import clock
from orders.models import Drop, Pair
from orders.states import PairState
from quantasneaks.urls import urlpatterns as shop
from tests.life import open_drop

pytestmark = pytest.mark.django_db


def landing(client: Client) -> str:
    answer = client.get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def availability(page: str) -> dict[str, str]:
    return dict(re.findall(r"<b>([\d.]+)</b><small[^>]*>([^<]+)</small>", page))


def test_an_open_drop_shows_its_price_its_rules_its_sizes_and_the_form(client: Client) -> None:
    drop = open_drop({"8": 30, "9": 3, "10.5": 1})
    Pair.objects.filter(drop=drop, size="10.5").update(state=PairState.HELD)
    page = landing(client)
    assert "299.00 USD" in page
    assert availability(page) == {"8": "available", "9": "few left", "10.5": "sold out"}
    assert re.search(r'value="10\.5"[^>]*\sdisabled\b', page)
    assert "One pair for each customer." in page
    assert "charged only after a person has approved your order" in page
    assert "within 24 hours" in page
    assert all(
        f'autocomplete="{name}"' in page for name in ("email", "name", "address-line1", "postal-code", "country")
    )
    assert page.count("<option value=") == 250


def test_held_pairs_give_hope_only_where_a_size_is_sold_out(client: Client) -> None:
    drop = open_drop({"8": 2, "9": 1})
    for pair, hope in zip(drop.pairs.filter(size="8"), (False, True), strict=True):
        Pair.objects.filter(pk=pair.pk).update(state=PairState.HELD)
        assert ("Sold out is not always the end" in landing(client)) is hope


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(86400, "24 hours"), (3600, "1 hour"), (5400, "90 minutes"), (5, "5 seconds"), (1, "1 second")],
)
def test_the_promise_is_the_time_there_is_to_decide(client: Client, seconds: int, words: str) -> None:
    open_drop()
    with override_settings(APPROVAL_TIMEOUT=timedelta(seconds=seconds)):
        assert f"We decide within {words}." in landing(client)


def test_the_page_is_two_queries(client: Client, django_assert_num_queries: Any) -> None:
    open_drop({"8": 30, "9": 3})
    with django_assert_num_queries(2):
        landing(client)


def test_the_countdown_is_plain_time_without_a_script_and_counts_on_the_servers_clock(client: Client) -> None:
    drop = open_drop()
    page = landing(client)
    assert f'data-countdown="{int(drop.closes_at.timestamp())}"' in page
    assert re.search(r"2\xa0days|1\xa0day, 23\xa0hours", page)
    shown = re.search(r'data-now="(\d+)"', page)
    assert shown
    assert abs(int(shown[1]) - clock.now().timestamp()) < 60


def test_before_the_opening_there_is_a_countdown_and_no_form(client: Client) -> None:
    drop = open_drop(opens_at=clock.now() + timedelta(hours=1))
    page = landing(client)
    assert 'data-phase="soon"' in page
    assert f'data-countdown="{int(drop.opens_at.timestamp())}"' in page
    assert "<form" not in page


def test_a_drop_that_is_sold_out_says_whether_a_pair_may_come_back(client: Client) -> None:
    open_drop({"9": 2})
    Pair.objects.update(state=PairState.SOLD)
    assert "Thank you for coming" in landing(client)
    Pair.objects.filter(number=1).update(state=PairState.HELD)
    page = landing(client)
    assert "1 pair is still in checkout" in page
    assert "<form" not in page


def test_a_closed_drop_says_so_even_with_pairs_left(client: Client) -> None:
    open_drop(opens_at=clock.now() - timedelta(days=2), closes_at=clock.now() - timedelta(days=1))
    page = landing(client)
    assert 'data-phase="closed"' in page
    assert "<form" not in page


def test_without_a_drop_the_page_is_kind(client: Client) -> None:
    assert "No drop at the moment" in landing(client)


def test_no_page_carries_inline_scripts_or_styles_and_every_address_is_our_own(client: Client) -> None:
    open_drop({"9": 2})
    for address in ("/", "/nowhere"):
        answer = client.get(address)
        page = answer.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)
        assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]


def test_every_form_has_its_own_key(client: Client) -> None:
    open_drop()
    keys = {re.search(r'name="idempotency_key" value="([^"]+)"', landing(client))[1] for _ in range(3)}  # type: ignore[index]
    assert len(keys) == 3


def test_the_newest_drop_is_shown(client: Client) -> None:
    open_drop(name="The old one", opens_at=clock.now() - timedelta(days=9))
    open_drop(name="The new one")
    assert "The new one" in landing(client)
    assert Drop.objects.count() == 2


def test_an_announced_drop_waits_behind_the_one_that_is_open(client: Client) -> None:
    now = clock.now()
    open_drop(name="Announced for later", opens_at=now + timedelta(days=5), closes_at=now + timedelta(days=6))
    open_drop(name="Announced for soon", opens_at=now + timedelta(days=3), closes_at=now + timedelta(days=4))
    open_drop(name="Over", opens_at=now - timedelta(days=3), closes_at=now - timedelta(days=1))
    assert "Announced for soon" in landing(client)
    open_drop(name="Open now")
    assert "Open now" in landing(client)


# --- what went wrong --------------------------------------------------------------------------------------------------


def test_an_unknown_address_is_a_kind_page_or_json(client: Client) -> None:
    page = client.get("/nowhere")
    assert (page.status_code, "There is nothing here" in page.content.decode()) == (404, True)
    assert client.get("/nowhere", headers={"Accept": "application/json"}).json()["error"] == "not_found"


@pytest.mark.parametrize("accept", ["", "*/*", "nonsense", "a/b/c;q=x", ",,;", "text/html, application/json;q=0.9"])
def test_an_odd_accept_header_gets_a_page(client: Client, accept: str) -> None:
    answer = client.get("/nowhere", headers={"Accept": accept})
    assert answer.status_code == 404
    assert "text/html" in answer.headers["Content-Type"]


def test_a_client_that_prefers_json_gets_json(client: Client) -> None:
    answer = client.get("/nowhere", headers={"Accept": "application/json, text/plain, */*"})
    assert answer.json()["error"] == "not_found"


def break_down(request: Any) -> Any:
    raise RuntimeError("the cellar is flooded")


urlpatterns = [path("broken", break_down), *shop]
handler500 = "orders.storefront.views.server_error"


@override_settings(ROOT_URLCONF=__name__)
def test_a_fault_of_ours_is_a_kind_page_and_asks_the_database_nothing(
    client: Client, django_assert_num_queries: Any
) -> None:
    client.raise_request_exception = False
    with django_assert_num_queries(0):
        answer = client.get("/broken")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()
    assert "cellar" not in answer.content.decode()
    assert client.get("/broken", headers={"Accept": "application/json"}).json()["error"] == "error"
