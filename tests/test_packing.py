"""What is printed for the parcels: approved and shipped orders, by shelf, and never anybody else's."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fulfillment.groups import FULFILLMENT, SHIPPING
from orders.models import Drop, Order, Shipment
from orders.workflow import approve_order, call_off_order
from tests.life import approve, open_drop, place, reject
from tests.reviews import a_user, browser, in_review

pytestmark = pytest.mark.django_db
PACKING = "/admin/packing/"
PAGES = ("list", "pick", "slips")


@pytest.fixture
def shipper() -> Client:
    return browser(a_user("sam", group=SHIPPING))


def approved(drop: Drop, **claim: Any) -> Order:
    return approve(in_review(drop, **claim))


def shipped(drop: Drop, **claim: Any) -> Order:
    number = approved(drop, **claim).number
    with transaction.atomic():
        order = Order.objects.lock(number)
        order.ship()
        order.commit()
    Shipment.objects.create(order=order, carrier="parcellab", tracking_number=f"PL-{number}", created_at=order.now)
    return order


def printed(client: Client, drop: Drop, page: str) -> str:
    return client.get(f"{PACKING}{drop.pk}/{page}/").text


def pairs(page: str) -> list[str]:
    return re.findall(r">(\d{4})<", page)


@pytest.mark.parametrize("page", PAGES)
def test_only_approved_and_shipped_orders_are_printed(shipper, page):
    drop = open_drop({"9": 20})
    printed_ones = [approved(drop), shipped(drop)]
    place(drop)
    in_review(drop)
    reject(in_review(drop))
    call_off_order(number=approved(drop).number, who="mona", reason="scuffed")
    shipped(open_drop({"9": 20}))
    text = printed(shipper, drop, page)
    assert sorted(pairs(text)) == sorted(f"{order.pair_number:04d}" for order in printed_ones)


def test_a_decision_that_may_still_be_withdrawn_is_not_packed(shipper):
    order = in_review(open_drop())
    approve_order(number=order.number, reviewer="rita", reason="looks_genuine", note="", undo=timedelta(seconds=10))
    assert shipper.get(f"{PACKING}slips/", {"order": order.number}).status_code == 409


def test_the_slip_says_what_goes_where_and_nothing_that_is_not_the_shippers(shipper):
    order = shipped(open_drop(), name="Ada <b>", line2="c/o Babbage", phone="+1555123456")
    text = printed(shipper, order.drop, "slips")
    for shown in (
        "Ada &lt;b&gt;",
        "c/o Babbage",
        "12345 Springfield",
        "+1555123456",
        "Test 1000 π",
        f"PL-{order.number}",
    ):
        assert shown in text
    for hidden in (str(order.public_id), order.email, "high", "medium"):
        assert hidden not in text


def test_without_a_tracking_number_a_parcel_is_not_handed_over(shipper):
    drop = open_drop()
    approved(drop)
    assert "do not hand over" in printed(shipper, drop, "slips")
    assert "do not hand over" in printed(shipper, drop, "list")


def test_the_pick_list_goes_along_the_shelf(shipper):
    drop = open_drop({"10": 2, "9.5": 2})
    for size in ("10", "9.5", "10"):
        approved(drop, size=size)
    text = printed(shipper, drop, "pick")
    assert re.findall(r"US ([\d.]+) <small>(\d+) pair", text) == [("9.5", "1"), ("10", "2")]


def test_single_orders_are_printed_and_others_named(shipper):
    drop = open_drop({"9": 5})
    one, other, waiting = shipped(drop), approved(drop), in_review(drop)
    answer = shipper.get(f"{PACKING}slips/", {"order": [other.number, one.number, waiting.number, "x", "²"]})
    assert answer.text.count('class="slip"') == 2
    assert f"not approved: #{waiting.number}<" in answer.text
    assert shipper.get(f"{PACKING}slips/", {"order": waiting.number}).status_code == 409
    assert shipper.get(f"{PACKING}slips/").status_code == 409


def test_more_slips_than_one_print_holds_are_refused_and_not_cut(shipper, monkeypatch):
    monkeypatch.setattr("fulfillment.packing.views.PER_PRINT", 2)
    monkeypatch.setattr("fulfillment.admin.orders.PER_PRINT", 2)
    drop = open_drop({"9": 5})
    numbers = [shipped(drop).number for _ in range(3)]
    answer = shipper.get(f"{PACKING}slips/", {"order": numbers})
    assert answer.status_code == 409
    assert "At most 2 slips at once" in answer.text
    assert "To the admin" in answer.text
    assert shipper.get(f"{PACKING}slips/", {"order": numbers[:2]}).text.count('class="slip"') == 2
    choice = {"action": "slips", "_selected_action": numbers}
    assert "At most 2 slips at once" in shipper.post("/admin/orders/order/", choice, follow=True).text


def test_the_admin_leads_there(shipper):
    order = shipped(open_drop({"9": 5}))
    waiting = in_review(order.drop)
    slip = f"{PACKING}slips/?order={order.number}"
    assert slip in shipper.get(f"/admin/orders/order/{order.number}/change/").text
    assert "Packing slip<" not in shipper.get(f"/admin/orders/order/{waiting.number}/change/").text
    assert f"{PACKING}{order.drop_id}/pick/" in shipper.get(f"/admin/orders/drop/{order.drop_id}/change/").text
    assert f'href="{PACKING}"' in shipper.get("/admin/").text
    assert "1 with a tracking number, 0 waiting" in shipper.get(PACKING).text
    choice = {"action": "slips", "_selected_action": [order.number]}
    assert shipper.post("/admin/orders/order/", choice)["Location"] == slip


def test_only_shippers_print():
    drop = shipped(open_drop()).drop
    addresses = [PACKING, f"{PACKING}slips/?order=1", *(f"{PACKING}{drop.pk}/{page}/" for page in PAGES)]
    reviewer, former = (
        browser(a_user("rita", group=FULFILLMENT)),
        browser(a_user("fred", group=SHIPPING, is_staff=False)),
    )
    for address in addresses:
        assert browser().get(address)["Location"].startswith("/admin/login/?next=/admin/packing/")
        assert reviewer.get(address).status_code == former.get(address).status_code == 403
    assert f'href="{PACKING}"' not in reviewer.get("/admin/").text


def test_a_page_for_the_printer_costs_the_same_for_many(shipper):
    drop = open_drop({"9": 40})

    def costs() -> list[int]:
        counted = []
        for page in PAGES:
            with CaptureQueriesContext(connection) as queries:
                printed(shipper, drop, page)
            counted.append(len(queries))
        return counted

    shipped(drop)
    before = costs()
    for _ in range(10):
        shipped(drop)
    assert costs() == before
    assert max(before) <= 9


def test_our_pages_have_the_strict_policy_and_are_kept_by_no_cache(shipper):
    answer = shipper.get(PACKING)
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert "no-store" in answer["Cache-Control"]
