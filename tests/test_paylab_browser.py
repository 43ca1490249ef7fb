"""The hosted page in a real browser, under its strict Content-Security-Policy."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from stripe import StripeClient

from tests.paylab import DECLINED, VISA, base, client, shoes

__all__ = ["base", "client"]  # fixtures
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.e2e]


@contextmanager
def browsing(browser: Browser, **context: Any) -> Iterator[Page]:
    """A page whose every complaint fails the test."""
    complaints: list[str] = []

    def listen(entry: ConsoleMessage) -> None:
        # The console reports as failed what is meant: a declined card, an expired page, a mistake in a form.
        if not re.search(r"status of (402|410|422)", entry.text):
            complaints.append(entry.text)

    page = browser.new_context(**context).new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []


@pytest.fixture
def shop() -> Iterator[str]:
    """A stranger's shop, on an origin of its own."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<link rel=icon href='data:,'><h1>Back in the shop</h1>")

        def log_message(self, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def url(client: StripeClient, shop: str) -> str:
    page = shoes(success_url=f"{shop}/thanks", cancel_url=f"{shop}/back", client_reference_id="17")
    return client.v1.checkout.sessions.create(page).url or ""


@pytest.mark.parametrize("width", [360, 1440])
def test_a_customer_is_declined_then_pays_and_is_back_in_the_shop(url: str, width: int, browser: Browser) -> None:
    with browsing(browser, viewport={"width": width, "height": 800}) as page:
        page.goto(url)
        expect(page.get_by_text("left")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_label("Card number").fill(DECLINED)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("declined this card")
        expect(page.get_by_label("Card number")).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_label("Card number").fill(VISA)
        page.get_by_role("button", name="Pay $299.00").click()
        expect(page.get_by_role("heading")).to_have_text("Back in the shop")
        assert page.url.endswith("/thanks")


def test_it_works_without_javascript(url: str, browser: Browser) -> None:
    with browsing(browser, java_script_enabled=False) as page:
        page.goto(url)
        expect(page.get_by_text("for about 60 minutes")).to_be_visible()
        page.get_by_role("button", name="Use the card 4242 4242 4242 4242").click()
        expect(page.get_by_role("heading")).to_have_text("Back in the shop")


def test_a_page_left_open_learns_that_its_time_is_over(client: StripeClient, browser: Browser) -> None:
    session = client.v1.checkout.sessions.create(shoes(expires_at=int(time.time()) + 4))
    with browsing(browser) as page:
        page.goto(session.url or "")
        expect(page.get_by_role("heading", name="Pay $299.00")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text("This page has expired", timeout=60_000)


@pytest.mark.parametrize("width", [360, 1440])
def test_the_control_page_sets_a_fault_and_clears_it(base: str, settings: Any, width: int, browser: Browser) -> None:
    login = {"username": settings.PAYLAB_API_KEY, "password": ""}
    with browsing(browser, viewport={"width": width, "height": 800}, http_credentials=login) as page:
        page.goto(f"{base}/paylab/")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_label("What goes wrong:").select_option("webhook_lost")
        page.get_by_label("How often").fill("0.2")
        page.get_by_role("button", name="From now on").click()
        expect(page.get_by_role("listitem")).to_contain_text("Rate 0.2, for ever")
        page.get_by_label("How often").fill("2")
        page.get_by_label("How often").evaluate("field => field.form.noValidate = true")
        page.get_by_role("button", name="From now on").click()
        expect(page.get_by_text("less than or equal to 1")).to_be_visible()
        page.get_by_role("button", name="All well again").click()
        expect(page.get_by_role("listitem")).to_contain_text("Nothing")
