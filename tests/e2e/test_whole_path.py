"""The whole path in a real Chromium: a customer buys, a reviewer decides, both by the pages alone."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.processes import until
from tests.stack import Shop

pytestmark = [pytest.mark.e2e, pytest.mark.stack]
SCREENSHOTS = os.environ.get("QS_SCREENSHOTS")  # a folder: keep what the pages looked like


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser whose every page must stay free of script errors, CSP reports and requests to elsewhere."""
    context = browser.new_context()
    complaints: list[str] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.on(
            "request",
            lambda request: complaints.append(request.url) if not request.url.startswith("http://127.0.0.1:") else None,
        )

    context.on("page", watch)
    yield context
    # A refused card is answered 402 and a wrong form 422, which the browser calls errors.
    assert [complaint for complaint in complaints if not re.search("status of (402|422)", complaint)] == []
    context.close()


def look(page: Page, name: str) -> None:
    """Nothing may be wider than the window; with QS_SCREENSHOTS, keep pictures."""
    for width in (360, 1100, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide at {width}"
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}.png", full_page=True)


def place_order(page: Page, shop: Shop, email: str, size: str = "9") -> None:
    page.goto(shop.base)
    page.locator(f"input[name=size][value='{size}']").check(force=True)
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Name").first.fill("Ada Example")
    page.locator("input[name=line1]").fill("12 Main Street")
    page.locator("input[name=city]").fill("Springfield")
    page.locator("input[name=postcode]").fill("12345")
    page.locator("select[name=country]").select_option("US")
    page.get_by_role("button", name="Claim a pair").click()
    page.wait_for_url("**/orders/*/")


def pay(page: Page, card: str) -> None:
    page.get_by_label("Card number").fill(card)
    page.get_by_role("button", name="Pay").click()


def log_in(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.base}/admin/review/")
    page.locator("input[name=username]").fill("staff")
    page.locator("input[name=password]").fill(shop.password)
    page.locator("form [type=submit]").first.click()
    page.wait_for_url("**/admin/review/")


def decide(page: Page, shop: Shop, number: str, verdict: str) -> None:
    page.goto(f"{shop.base}/admin/review/")
    page.get_by_role("link", name=f"#{number}", exact=True).click()
    form = page.locator(f"form.{verdict}")
    form.locator("input[name=reason][value=other]").check()
    form.locator("textarea[name=note]").fill("seen in the browser")
    form.locator("button[name=decision]").click()
    page.get_by_role("button", name="Withdraw the decision").first.wait_for()


def wait_for_state(page: Page, state: str) -> None:
    """Load the page anew until the time to withdraw the decision is over, and what follows is done."""

    def there() -> bool:
        page.reload()
        return page.locator(f"#order[data-state={state}]").is_visible()

    until(there, state)


def order_number(shop: Shop, page: Page) -> str:
    """The internal number, as the desk shows it."""
    public_id = page.url.rstrip("/").rsplit("/", 1)[1]
    code = f"from orders.models import Order; print(Order.objects.get(public_id='{public_id}').number)"
    return shop.manage("shell", "--no-imports", "-c", code).stdout.strip()


def test_a_customer_buys_and_a_reviewer_approves(shop: Shop, context: BrowserContext) -> None:
    customer, reviewer = context.new_page(), context.new_page()
    customer.goto(shop.base)
    look(customer, "landing")
    place_order(customer, shop, "chromium@example.org")
    customer.get_by_role("link", name="Pay").wait_for()  # the page keeps itself up to date
    look(customer, "status-awaiting-payment")
    number = order_number(shop, customer)
    customer.get_by_role("link", name="Pay").click()
    look(customer, "payment")
    pay(customer, "4000 0000 0000 0002")
    expect(customer.get_by_role("alert")).to_be_visible()
    look(customer, "payment-declined")
    pay(customer, "4242 4242 4242 4242")
    customer.wait_for_url("**/orders/*/")
    expect(customer.locator("#order[data-state=awaiting_approval]")).to_be_visible(timeout=20_000)
    look(customer, "status-in-review")

    log_in(reviewer, shop)
    look(reviewer, "desk")
    reviewer.get_by_role("link", name=f"#{number}", exact=True).click()
    look(reviewer, "review")
    decide(reviewer, shop, number, "approve")
    wait_for_state(customer, "shipped")
    look(customer, "status-shipped")

    admin = context.new_page()
    admin.goto(f"{shop.base}/admin/orders/order/{number}/change/")
    expect(admin.get_by_text("payment captured").first).to_be_visible()
    if SCREENSHOTS:
        for width in (360, 1440):
            admin.set_viewport_size({"width": width, "height": 900})
            admin.screenshot(path=Path(SCREENSHOTS) / f"order-{width}.png", full_page=True)


def test_a_rejected_customer_reads_where_the_money_is(shop: Shop, context: BrowserContext) -> None:
    customer, reviewer = context.new_page(), context.new_page()
    place_order(customer, shop, "rejected@example.org", size="10")
    customer.get_by_role("link", name="Pay").click()
    pay(customer, "4242424242424242")
    customer.wait_for_url("**/orders/*/")
    expect(customer.locator("#order[data-state=awaiting_approval]")).to_be_visible(timeout=20_000)
    log_in(reviewer, shop)
    decide(reviewer, shop, order_number(shop, customer), "reject")
    wait_for_state(customer, "compensated")
    expect(customer.locator(".money")).to_contain_text("nothing was charged")
    look(customer, "status-rejected")


def test_a_customer_cancels(shop: Shop, context: BrowserContext) -> None:
    customer = context.new_page()
    place_order(customer, shop, "cancels@example.org", size="11")
    customer.get_by_role("link", name="Pay").wait_for()
    customer.get_by_text("Cancel this order").click()
    customer.get_by_role("button", name="Yes, cancel my order").click()
    expect(customer.locator("#order[data-state=compensated]")).to_be_visible(timeout=20_000)


def test_a_double_click_is_one_order(shop: Shop, context: BrowserContext) -> None:
    customer = context.new_page()
    customer.goto(shop.base)
    place_order(customer, shop, "double@example.org", size="12")
    first = customer.url
    customer.go_back()
    customer.get_by_role("button", name="Claim a pair").click()  # the same form, sent again
    customer.wait_for_url("**/orders/*/")
    assert customer.url == first


def test_a_wrong_form_keeps_what_was_typed(shop: Shop, context: BrowserContext) -> None:
    customer = context.new_page()
    customer.goto(shop.base)
    customer.get_by_label("E-mail").fill("not an address")
    customer.locator("input[name=city]").fill("Springfield")
    customer.get_by_role("button", name="Claim a pair").click()
    expect(customer.locator("input[name=city]")).to_have_value("Springfield")
    expect(customer.locator("#id_email_error")).to_be_visible()
