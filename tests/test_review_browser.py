"""The desk and the admin in a real browser: under the policy, within the window, by keyboard, without a stranger."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from orders.models import Order
from tests.life import open_drop
from tests.reviews import a_reviewer, a_user, in_review
from tests.reviews import browser as logged_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.e2e]


@pytest.fixture
def waiting() -> Order:
    """An order to decide, made before the browser starts."""
    drop = open_drop({"9": 20})
    for _ in range(5):
        in_review(drop, score=90)
    return in_review(drop, score=70, name="Ada Lovelace of a rather long name", line2="c/o The Analytical Society")


@pytest.fixture
def sessions() -> dict[str, str]:
    people = (a_reviewer("rita"), a_user("boss", is_superuser=True))
    return {user.username: logged_in(user).cookies["sessionid"].value for user in people}


def visit(browser: Browser, shop: str, session: str, width: int) -> tuple[Page, list[str]]:
    """A page that is logged in, and the list in which its complaints and its calls to strangers gather."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": session, "url": shop}])
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda entry: complaints.append(entry.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(shop) else complaints.append(request.url))
    return page, complaints


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("width", [360, 1440])
def test_a_reviewer_decides_by_keyboard(
    live_server: Any, waiting: Order, sessions: dict[str, str], browser: Browser, width: int
) -> None:
    page, complaints = visit(browser, live_server.url, sessions["rita"], width)
    page.goto(f"{live_server.url}/admin/review/")
    assert fits(page)
    page.get_by_role("link", name=f"#{waiting.number}", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Order {waiting.number}")).to_be_visible()
    assert fits(page)
    page.locator("form.approve").get_by_label("Reason").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("He wrote a kind letter.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text(f"Order {waiting.number} will be approved in 10 seconds.")
    expect(page.get_by_role("link", name="#")).to_have_count(5)
    page.get_by_role("link", name="Withdraw the decision").click()
    expect(page.get_by_text("rita chose to approve this order: looks genuine.")).to_be_visible()
    expect(page.get_by_role("blockquote")).to_have_text("He wrote a kind letter.")
    assert complaints == []


@pytest.mark.parametrize("width", [360, 1440])
def test_unfold_works_within_its_hole_in_the_policy(
    live_server: Any, waiting: Order, sessions: dict[str, str], browser: Browser, width: int
) -> None:
    page, complaints = visit(browser, live_server.url, sessions["boss"], width)
    for address in ("", "orders/order/", f"orders/order/{waiting.number}/change/", "orders/work/", "auth/user/"):
        page.goto(f"{live_server.url}/admin/{address}")
        page.wait_for_load_state("networkidle")
        assert fits(page)
    page.goto(f"{live_server.url}/admin/orders/order/")
    page.get_by_text("Filters").first.click()
    expect(page.get_by_role("heading", name="By state")).to_be_visible()
    assert complaints == []
