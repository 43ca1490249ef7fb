"""Packing pages and the drop's form in a real browser: within the window, under the policy, and as paper."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from fulfillment.groups import MERCHANT
from orders.models import Drop
from tests.life import open_drop
from tests.reviews import a_user
from tests.reviews import browser as logged_in
from tests.test_packing import approved, shipped
from tests.test_review_browser import fits, visit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.e2e]


@pytest.fixture
def drop() -> Drop:
    drop = open_drop({"9": 40, "10": 10})
    approved(drop, name="Ada Lovelace of a rather long name", line2="c/o The Analytical Society of Great Britain")
    for _ in range(4):
        shipped(drop)
    shipped(drop, size="10")
    Drop.objects.update(picture=f"{'0' * 64}.webp")
    return drop


@pytest.fixture
def session() -> str:
    return str(logged_in(a_user("mona", group=MERCHANT)).cookies["sessionid"].value)


@pytest.mark.parametrize("width", [360, 1440])
def test_pages_fit_the_window_and_the_paper(
    live_server: Any, drop: Drop, session: str, browser: Browser, width: int
) -> None:
    page, complaints = visit(browser, live_server.url, session, width)
    addresses = [
        "packing/",
        *(f"packing/{drop.pk}/{name}/" for name in ("list", "pick", "slips")),
        f"orders/drop/{drop.pk}/change/",
    ]
    for address in addresses:
        page.goto(f"{live_server.url}/admin/{address}")
        assert fits(page), address
    page.goto(f"{live_server.url}/admin/packing/{drop.pk}/slips/")
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.get_by_role("navigation", name="Staff")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().count(b"/Type /Page\n") == 6
    assert complaints == []
