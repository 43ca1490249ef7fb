"""The dashboard in a real browser: within the policy and the window, and it keeps itself up to date."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from fulfillment.groups import OPS
from orders.models import Order
from orders.risk import links
from tests.life import open_drop
from tests.reviews import a_reviewer, a_user
from tests.reviews import browser as logged_in
from tests.test_insiders import decide, one_operator
from tests.test_review_browser import fits, visit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.e2e]


@pytest.fixture
def orders() -> list[Order]:
    drop = open_drop({"9": 9})
    orders = one_operator(drop, "+1 555 0000 011", 6)
    decide(a_reviewer("ivan"), "approve", *orders[:4])
    links.rebuild()
    return orders


@pytest.fixture
def session(orders: list[Order]) -> str:
    return logged_in(a_user("ops", group=OPS)).cookies["sessionid"].value


@pytest.mark.parametrize("width", [360, 1440])
def test_it_takes_over_what_is_new_and_leaves_the_reader_alone(
    live_server: Any, orders: list[Order], session: str, browser: Browser, width: int
) -> None:
    page, complaints = visit(browser, live_server.url, session, width)
    page.clock.install()
    for address in ("insiders/", "drift/", ""):
        page.goto(f"{live_server.url}/admin/dashboard/{address}")
        assert fits(page)
    numbers = page.get_by_text("In numbers: Orders by state")
    numbers.focus()
    page.keyboard.press("Enter")
    reviews = page.get_by_role("row", name="Awaiting Approval")
    expect(reviews).to_contain_text("2")
    expect(page.get_by_text("4 approvals of linked orders to look at.")).to_be_visible()
    httpx.post(f"{live_server.url}/orders/{orders[-1].public_id}/cancel")
    page.clock.fast_forward(16_000)
    expect(reviews).to_contain_text("1")  # still open
    expect(numbers).to_be_focused()
    assert fits(page)
    assert complaints == []
