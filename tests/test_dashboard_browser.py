"""The dashboard in a real browser: within the policy and the window, and it keeps itself up to date."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from fulfillment.groups import OPS
from orders.models import Order
from orders.risk import links
from tests.life import open_drop
from tests.reviews import a_reviewer, a_user
from tests.reviews import browser as logged_in
from tests.test_insiders import decide, one_operator
from tests.test_review_browser import fits, serious, visit

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
    page.emulate_media(color_scheme="dark" if width == 360 else "light")
    page.clock.install()
    for address in ("insiders/", "drift/", ""):
        page.goto(f"{live_server.url}/admin/dashboard/{address}")
        assert fits(page)
        assert serious(page) == []
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


def test_the_cursor_stays_at_its_link_and_only_another_alarm_is_read_aloud(
    live_server: Any, orders: list[Order], session: str, browser: Browser
) -> None:
    page, complaints = visit(browser, live_server.url, session, 1440)
    page.clock.install()
    page.goto(f"{live_server.url}/admin/dashboard/")
    words = {'<ul class="flags">': '<ul class="flags"><li><a href="/new/">New</a></li>', "The sweep does": "It does"}

    def changed(route: Route) -> None:
        answer = route.fetch()
        body = answer.text()
        for before, after in words.items():
            body = body.replace(before, after)
        route.fulfill(response=answer, body=body)

    link, news = page.get_by_role("link", name=f"#{orders[2].number}"), page.locator("[data-news]")
    link.focus()
    page.route("**/admin/dashboard/", changed)
    page.clock.fast_forward(16_000)
    expect(page.get_by_role("link", name="New")).to_be_visible()
    expect(link).to_be_focused()
    expect(news).to_be_empty()
    words["sweep_silent"] = "beat_silent"
    page.clock.fast_forward(16_000)
    expect(news).to_contain_text("It does not run")
    assert complaints == []


def test_who_is_logged_out_meanwhile_is_led_to_the_log_in(
    live_server: Any, orders: list[Order], session: str, browser: Browser
) -> None:
    page, _ = visit(browser, live_server.url, session, 1440)
    page.clock.install()
    page.goto(f"{live_server.url}/admin/dashboard/")
    page.context.clear_cookies()
    page.clock.fast_forward(16_000)
    expect(page).to_have_url(re.compile(r"/admin/login/\?next=/admin/dashboard/"))
