"""The storefront in a real Chromium: by keyboard alone, without a script, twice clicked, and left to update itself."""

import ast
import re

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.stack import Shop

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def fill_in(page: Page, email: str) -> None:
    for name, value in {
        "email": email,
        "name": "Ada Example",
        "line1": "12 Main Street",
        "city": "Springfield",
        "postcode": "12345",
    }.items():
        page.locator(f"input[name={name}]").fill(value)
    page.locator("select[name=country]").select_option("US")


def choose(page: Page, size: str) -> None:
    page.locator(".size", has_text=size).first.click()


def test_a_pair_is_claimed_by_keyboard_alone(shop: Shop, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(shop.base)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.locator("input[name=size]:enabled").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("input[name=size]:checked")).to_have_count(1)
    for text in ("keyboard@example.org", "Ada Example", "12 Main Street", "", "12345", "Springfield", "United S", ""):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Claim a pair")).to_be_focused()
    expect(page.locator("input[name=ticket]")).to_have_value(re.compile("."), timeout=20_000)
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/*/")
    order_id = page.url.rstrip("/").rsplit("/", 1)[1]
    code = f"from orders.models import ClaimSignals; print(ClaimSignals.objects.get(order__public_id='{order_id}').raw)"
    raw = ast.literal_eval(shop.manage("shell", "--no-imports", "-c", code).stdout)
    assert (raw["ticket"], raw["client"]["webdriver"]) == ("valid", True)
    assert 0 < raw["ticket_ms"] < raw["page_to_submit_ms"]


def test_the_page_keeps_itself_up_to_date_without_being_loaded_anew(shop: Shop, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(shop.base)
    choose(page, "11")
    fill_in(page, "patient@example.org")
    page.get_by_role("button", name="Claim a pair").click()
    page.wait_for_url("**/orders/*/")
    page.evaluate("window.loadedOnce = true")
    payment = page.get_by_role("link", name="Pay")
    expect(payment).to_be_visible(timeout=20_000)
    httpx.post(payment.get_attribute("href") or "", data={"card": "4242424242424242"})
    expect(page.get_by_role("heading", name="A person is now looking")).to_be_visible(timeout=20_000)
    assert page.evaluate("window.loadedOnce")
    page.get_by_text("Cancel this order").click()
    page.get_by_role("button", name="Yes, cancel my order").click()
    expect(page.locator("#order[data-state=compensated]")).to_be_visible(timeout=20_000)
    expect(page.locator(".money")).to_have_text("The hold on your card was released; nothing was charged.")


def test_the_whole_claim_works_without_a_script(shop: Shop, browser: Browser) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(shop.base)
    expect(page.locator(".clock")).to_contain_text("UTC")
    choose(page, "11")
    fill_in(page, "noscript@example.org")
    page.get_by_role("button", name="Claim a pair").click()
    page.wait_for_url("**/orders/*/")
    expect(page.get_by_role("link", name="Pay")).to_be_visible(timeout=30_000)  # by the refresh that noscript holds


def test_a_double_click_is_one_order(shop: Shop, browser: Browser) -> None:
    page = browser.new_page()
    claims: list[str] = []
    page.on("request", lambda request: claims.append(request.url) if request.method == "POST" else None)
    page.goto(shop.base)
    choose(page, "11")
    fill_in(page, "hasty@example.org")
    page.get_by_role("button", name="Claim a pair").dblclick()
    page.wait_for_url("**/orders/*/")
    assert len(claims) == 1


def test_a_mistake_leads_the_cursor_to_its_field(shop: Shop, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(shop.base)
    choose(page, "11")
    fill_in(page, "no address at all")
    page.get_by_role("button", name="Claim a pair").click()
    email = page.get_by_label("E-mail")
    expect(email).to_be_focused()
    expect(email).to_have_value("no address at all")
    expect(email).to_have_accessible_description("Please check this address, as in you@example.com.")
    expect(page.locator("input[name=size][value='11']")).to_be_checked()


def test_times_are_shown_in_the_readers_zone(shop: Shop, browser: Browser) -> None:
    page = browser.new_context(timezone_id="Asia/Kathmandu", locale="en-GB").new_page()
    page.goto(shop.base)
    time = page.locator(".clock time")
    expect(time).not_to_contain_text("UTC")
    closes = page.evaluate(
        "new Date(document.querySelector('.clock time').dateTime).toLocaleTimeString('en-GB', {timeStyle: 'short'})"
    )
    expect(time).to_contain_text(closes)
