"""The desk and the admin in a real browser: under the policy, within the window, by keyboard, without a stranger."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from playwright.sync_api import Browser, Page, expect

from fulfillment.models import Decision
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
def thirty() -> list[Order]:
    drop = open_drop({"9": 30})
    return [in_review(drop) for _ in range(30)]


@pytest.fixture
def sessions() -> dict[str, str]:
    people = (a_reviewer("rita"), a_reviewer("sam"), a_user("boss", is_superuser=True))
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


def serious(page: Page) -> list[str]:
    """What axe finds on the page that would keep somebody out."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{found['id']}: {found['nodes'][0]['html']}"
        for found in violations
        if found["impact"] in ("serious", "critical")
    ]


def decisions() -> list[Decision]:
    """Read in a thread of its own: the browser's event loop bars this one from the database."""

    def read() -> list[Decision]:
        try:
            return list(Decision.objects.order_by("order"))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read).result()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("width", [360, 1440])
def test_a_reviewer_decides_by_keyboard(
    live_server: Any, waiting: Order, sessions: dict[str, str], browser: Browser, width: int
) -> None:
    page, complaints = visit(browser, live_server.url, sessions["rita"], width)
    page.emulate_media(color_scheme="dark" if width == 360 else "light")
    page.goto(f"{live_server.url}/admin/review/")
    assert fits(page)
    assert serious(page) == []
    page.get_by_role("link", name=f"#{waiting.number}", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Order {waiting.number}")).to_be_visible()
    assert fits(page)
    assert serious(page) == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.press("1")
    page.keyboard.press("n")
    page.keyboard.type("He wrote a kind letter.")
    page.reload()
    expect(page.locator("#approve-note")).to_have_value("He wrote a kind letter.")
    page.keyboard.press("a")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(f"Order {waiting.number} will be approved")
    assert page.evaluate("sessionStorage.length") == 0
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_contain_text(f"Your decision on order {waiting.number} is withdrawn.")
    (decision,) = decisions()
    assert (decision.note, decision.withdrawn_at is None) == ("He wrote a kind letter.", False)
    assert complaints == []


READY = "title => document.readyState == 'complete' && document.querySelector('h1').textContent == title"


def test_thirty_orders_are_decided_by_keyboard_alone(
    live_server: Any, thirty: list[Order], sessions: dict[str, str], browser: Browser, capsys: Any
) -> None:
    """How long it takes from the key that decides to the next order's page, ready for keys, is printed."""
    page, complaints = visit(browser, live_server.url, sessions["rita"], 1440)
    page.goto(f"{live_server.url}/admin/review/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    took = []
    for order, following in zip(thirty, [*thirty[1:], None], strict=True):
        page.wait_for_function(READY, arg=f"Order {order.number}")
        verdict = "ra"[order.number % 2]
        page.keyboard.press(verdict)
        page.keyboard.press(str(order.number % 3 + 1))
        heading = f"Order {following.number}" if following else "Review desk"
        begun = time.perf_counter()
        page.keyboard.press("Enter")
        page.wait_for_function(READY, arg=heading)
        took.append((time.perf_counter() - begun) * 1000)
    p50, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
    with capsys.disabled():
        print(f"\n30 decisions by keyboard, from the key to the next order: p50 {p50:.0f} ms, p95 {p95:.0f} ms")
    reasons = {
        "approve": ["looks_genuine", "known_customer", "verified_by_contact"],
        "reject": ["suspected_bot", "suspected_reseller", "duplicate_customer"],
    }
    verdicts = {order.number: ("reject", "approve")[order.number % 2] for order in thirty}
    assert [(made.order_id, made.verdict, made.reason) for made in decisions()] == [
        (number, verdict, reasons[verdict][number % 3]) for number, verdict in verdicts.items()
    ]
    assert complaints == []


def test_the_list_shows_what_a_colleague_does_and_keeps_ticks_and_focus(
    live_server: Any, waiting: Order, sessions: dict[str, str], browser: Browser
) -> None:
    rita, complaints = visit(browser, live_server.url, sessions["rita"], 1440)
    sam, _ = visit(browser, live_server.url, sessions["sam"], 1440)
    rita.goto(f"{live_server.url}/admin/review/")
    rita.evaluate("window.loadedOnce = true")
    for key in "jjxjj":
        rita.keyboard.press(key)
    focused = rita.evaluate("document.activeElement.textContent")
    ticked = rita.locator("[name=order]:checked").input_value()
    sam.goto(f"{live_server.url}/admin/review/")
    sam.get_by_role("link", name="#").first.click()
    first = sam.locator("h1").text_content() or ""
    expect(rita.get_by_text("held by sam")).to_have_count(1, timeout=15_000)
    sam.goto(f"{live_server.url}/admin/review/")  # he leaves it
    expect(rita.get_by_text("held by sam")).to_have_count(0, timeout=15_000)
    sam.wait_for_load_state()
    sam.keyboard.press("r")  # of the first row
    expect(sam.get_by_label("Suspected bot")).to_be_focused()
    sam.keyboard.press("1")
    sam.keyboard.press("Enter")
    expect(rita.get_by_role("link", name=first.replace("Order ", "#"), exact=True)).to_have_count(0, timeout=15_000)
    assert rita.evaluate("document.activeElement.textContent") == focused
    assert rita.locator("[name=order]:checked").input_value() == ticked
    assert rita.evaluate("window.loadedOnce")
    expect(sam.get_by_role("status")).to_contain_text("will be rejected")
    assert "#" not in sam.url, "the next order does not open in its rejection, too"
    expect(sam.get_by_label("Suspected bot")).not_to_be_focused()
    expect(rita.get_by_text("held by sam")).to_have_count(1, timeout=15_000)
    rita.locator("#levels a").last.focus()
    sam.goto(f"{live_server.url}/admin/review/#r")
    expect(rita.get_by_text("held by sam")).to_have_count(0, timeout=15_000)
    assert rita.evaluate("document.activeElement.matches('#levels a:last-of-type')")
    assert sam.locator("h1").text_content() == "Review desk", "an address is no key"
    assert complaints == []


SEEN_LATER = "Object.defineProperty(document, 'hidden', { get: () => !window.seen })"
SEEN = "window.seen = true; document.dispatchEvent(new Event('visibilitychange'))"
SENT_TWICE = "form => { for (const _ of '12') form.requestSubmit(form.querySelector('[name=decision]')); }"


def test_a_decision_is_sent_once_its_note_outlives_a_refusal_and_a_tab_behind_holds_nothing(
    live_server: Any, waiting: Order, sessions: dict[str, str], browser: Browser
) -> None:
    page, _ = visit(browser, live_server.url, sessions["rita"], 1440)
    page.add_init_script(SEEN_LATER)
    address = f"{live_server.url}/admin/review/{waiting.public_id}/"
    page.goto(address)
    expect(page.get_by_role("button", name="Hold it for me")).to_be_visible()
    page.evaluate(SEEN)
    expect(page.get_by_role("button", name="Hold it for me")).to_be_hidden()
    page.locator("#approve-note").fill("No text: \ufffd")
    page.get_by_label("Looks genuine").check()
    page.get_by_role("button", name="Approve order").click()
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    page.goto(address)
    expect(page.locator("#approve-note")).to_have_value("No text: \ufffd")
    page.locator("#approve-note").fill("Text.")
    page.get_by_label("Looks genuine").check()
    page.locator(".approve").evaluate(SENT_TWICE)
    expect(page.get_by_role("status")).to_have_text(f"Order {waiting.number} will be approved")
    page.goto(address)
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_contain_text(f"Your decision on order {waiting.number} is withdrawn.")


@pytest.mark.parametrize("width", [360, 1440])
def test_the_log_in_and_many_at_once_keep_nobody_out(
    live_server: Any, waiting: Order, sessions: dict[str, str], browser: Browser, width: int
) -> None:
    page, complaints = visit(browser, live_server.url, sessions["rita"], width)
    page.goto(f"{live_server.url}/admin/review/")
    first, second, *_, last = page.locator("[name=order]").all()
    for box in (first, second, last):
        box.check()
    page.get_by_label("Decision").select_option("approve:looks_genuine")
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("heading", name="Approve, looks genuine: 1 of 3 orders")).to_be_visible()
    assert fits(page)
    assert serious(page) == []
    page.get_by_role("button", name="Approve 1 order").click()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    assert serious(page) == []
    page.context.clear_cookies()
    page.goto(f"{live_server.url}/admin/login/")
    assert fits(page)
    assert serious(page) == []
    assert complaints == []


def test_many_are_decided_without_a_script(
    live_server: Any, waiting: Order, sessions: dict[str, str], browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": sessions["rita"], "url": live_server.url}])
    page = context.new_page()
    page.goto(f"{live_server.url}/admin/review/?level=high")
    for box in page.locator("[name=order]").all()[:3]:
        box.check()
    page.get_by_label("Decision").select_option("reject:suspected_bot")
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("heading", name="Reject, suspected bot: 3 of 3 orders")).to_be_visible()
    page.get_by_role("button", name="Reject 3 orders").click()
    expect(page.get_by_text("Rejected, in effect")).to_have_count(3)
    page.get_by_role("link", name="To the review desk").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Start with the most urgent").click()
    page.get_by_label("Suspected bot").check()
    page.get_by_role("button", name="Reject order").click()
    expect(page.get_by_role("button", name="Withdraw the decision")).to_be_visible()
    assert "?level=high" in page.url


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
