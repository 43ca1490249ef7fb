"""One review in a real browser: under the policy, within the window, its drawing and a lead's two forms."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from orders.models import Order
from tests.life import open_drop
from tests.reviews import browser as logged_in
from tests.test_review_browser import fits, visit
from tests.test_review_detail import HOUR, a_lead, held, linked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.e2e]


@pytest.fixture
def group() -> list[Order]:
    """Linked orders to decide, made before the browser starts."""
    return [held(order, 48 * HOUR) for order in linked(open_drop({"9": 20}), 12)]


@pytest.fixture
def session() -> str:
    return logged_in(a_lead()).cookies["sessionid"].value


def test_a_lead_follows_a_link_removes_one_and_extends_a_deadline(
    live_server: Any, group: list[Order], session: str, browser: Browser
) -> None:
    first, second = group[:2]
    page, _ = visit(browser, live_server.url, session, 1024)
    for width in (700, 1024, 1100, 1240):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{live_server.url}/admin/review/")
        assert fits(page)
        page.goto(f"{live_server.url}/admin/review/{first.public_id}/")
        assert fits(page)
        assert page.locator(".reasons").evaluate("table => table.offsetWidth <= table.parentElement.clientWidth")
    for width in (360, 1440):
        page, complaints = visit(browser, live_server.url, session, width)
        page.goto(f"{live_server.url}/admin/review/{first.public_id}/")
        assert fits(page)
        page.locator(".graph a").filter(has_text=re.compile(rf"^\s*{second.number}\s*$")).click()
        expect(page.get_by_role("heading", name=f"Order {second.number}", exact=True)).to_be_visible()
        page.get_by_role("link", name=f"Order {first.number}", exact=True).click()
        expect(page.get_by_role("img", name="Score 70 of 99, medium")).to_be_visible()
        page.get_by_text("More time").press("Enter")
        assert fits(page)
        page.get_by_label("Why the decision needs it").fill("She is at sea.")
        page.get_by_role("button", name="Extend the deadline").press("Enter")
        expect(page.get_by_role("status")).to_have_text("The decision has more time.")
        assert complaints == []
    page.get_by_text("Remove a wrong link").press("Enter")
    page.get_by_label("How you know").fill("A hotel's desk.")
    page.get_by_role("button", name="Remove the link").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is no longer linked by its phone.")
    expect(page.get_by_text("Linked with no other order.")).to_be_visible()
    expect(page.get_by_text("A colleague decides it.")).to_be_visible()
    assert complaints == []
