"""An order's page and its status: ten keys in every state, nothing that is not the customer's, and the way out."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from orders import workflow
from orders.models import Order
from orders.states import FINAL, State
from tests.life import (
    approve,
    fresh,
    later,
    open_drop,
    paid_order,
    pay,
    place,
    reject,
    settle,
    strangers,  # noqa: F401
)

KEYS = {
    "orderId", "status", "outcome", "size", "pairNumber", "createdAt", "paymentUrl", "deadline", "pollAfterMs",
    "message",
}  # fmt: skip
JSON = {"Accept": "application/json"}


def status(client: Client, order: Order) -> dict[str, Any]:
    answer = client.get(f"/orders/{order.public_id}/status")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def page(client: Client, order: Order) -> str:
    answer = client.get(f"/orders/{order.public_id}/")
    assert answer.status_code == 200
    return answer.content.decode()


def life() -> Iterator[Order]:
    """An order in each state, the ends included."""
    drop = open_drop({"9": 10})
    order = place(drop)
    yield order  # processing
    settle()
    yield fresh(order)  # awaiting payment
    pay(order)
    settle()
    yield fresh(order)  # awaiting approval
    yield approve(order)
    settle()
    yield fresh(order)  # shipped
    rejected = paid_order(drop)
    yield reject(rejected)
    settle()
    yield fresh(rejected)  # compensated


@pytest.mark.usefixtures("strangers")
def test_the_status_has_ten_keys_in_every_state_and_says_the_right_things(client: Client) -> None:
    seen = []
    for order in life():
        body = status(client, order)
        state = State(order.state)
        seen.append(state)
        assert set(body) == KEYS
        assert body["status"] == state
        assert body["orderId"] == str(order.public_id)
        assert (body["size"], body["pairNumber"]) == (9, order.pair_number)
        assert body["outcome"] == (order.outcome or None)
        assert datetime.fromisoformat(body["createdAt"]) == order.created_at
        assert body["createdAt"].endswith("Z")
        assert (body["paymentUrl"] is not None) == (state == State.AWAITING_PAYMENT)
        assert (body["deadline"] is not None) == (state in (State.AWAITING_PAYMENT, State.AWAITING_APPROVAL))
        assert (body["pollAfterMs"] is None) == (state in FINAL)
        assert body["message"]
    assert set(seen) == set(State)


@pytest.mark.usefixtures("strangers")
def test_the_page_steers_how_often_it_is_asked(client: Client) -> None:
    pauses = [status(client, order)["pollAfterMs"] for order in life()]
    assert pauses == [2000, 5000, 30000, 2000, None, 2000, None]


@pytest.mark.usefixtures("strangers")
def test_neither_the_page_nor_the_status_shows_a_score_a_reason_or_a_reviewer(client: Client) -> None:
    for order in life():
        shown = page(client, order) + str(status(client, order))
        for secret in ("score", "suspected_bot", "looks_genuine", "staff", "risk", order.email, "pi_", "callback"):
            assert secret not in shown.replace("/paylab/", ""), secret


@pytest.mark.usefixtures("strangers")
def test_the_page_tells_what_happened_when_and_where_the_money_is(client: Client) -> None:
    told = [" ".join(page(client, order).split()) for order in life()]
    processing, paying, review, approved, shipped, compensating, compensated = told
    assert "Being checked" in processing
    assert "Pay 299.00 USD" in paying
    assert "data-countdown" in paying
    assert "We decide by <time" in review
    assert "299.00 USD is held on your card; nothing has been charged." in review
    assert "Getting your parcel ready" in approved
    assert fresh_tracking() in shipped
    assert "299.00 USD was charged to your card." in shipped
    assert "is being released; nothing was charged" in compensating
    assert "The hold on your card was released; nothing was charged." in compensated
    assert not any("refund" in text.lower() for text in told)


def fresh_tracking() -> str:
    order = Order.objects.get(state=State.SHIPPED)
    return str(order.shipment.tracking_number)


@pytest.mark.usefixtures("strangers")
def test_each_state_is_another_status_and_a_look_costs_one_statement(
    client: Client, django_assert_num_queries: Any
) -> None:
    etag = '"none yet"'
    for order in life():
        for expected in (200, 304):
            with django_assert_num_queries(1):
                answer = client.get(f"/orders/{order.public_id}/status", headers={"If-None-Match": etag})
            assert answer.status_code == expected
            etag = answer.headers["ETag"]


@pytest.mark.django_db
def test_the_page_is_few_queries(client: Client, django_assert_max_num_queries: Any) -> None:
    order = place(open_drop())
    with django_assert_max_num_queries(6):
        page(client, order)


@pytest.mark.django_db
def test_an_unchanged_status_is_answered_304_and_a_changed_one_in_full(client: Client) -> None:
    order = place(open_drop())
    address = f"/orders/{order.public_id}/status"
    etag = client.get(address).headers["ETag"]
    assert etag.startswith('"')  # a strong one
    again = client.get(address, headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    workflow.cancel_order(public_id=order.public_id)
    changed = client.get(address, headers={"If-None-Match": etag})
    assert (changed.status_code, changed.json()["status"]) == (200, "compensating")
    assert changed.headers["ETag"] != etag


@pytest.mark.usefixtures("strangers")
def test_a_deadline_that_staff_extend_is_another_status(client: Client) -> None:
    order = paid_order(open_drop())
    address = f"/orders/{order.public_id}/status"
    before = client.get(address)
    until = datetime.fromisoformat(before.json()["deadline"]) + timedelta(hours=1)
    workflow.extend_review(number=order.number, until=until, who="staff", reason="She is at sea.")
    after = client.get(address, headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, datetime.fromisoformat(after.json()["deadline"])) == (200, until)


@pytest.mark.django_db
def test_nothing_of_an_order_is_indexed_shared_or_passed_on(client: Client) -> None:
    order = place(open_drop())
    for address in (f"/orders/{order.public_id}/", f"/orders/{order.public_id}/status"):
        headers = client.get(address).headers
        assert "noindex" in headers["X-Robots-Tag"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "private" in headers["Cache-Control"]
    assert "no-store" in client.get(f"/orders/{order.public_id}/").headers["Cache-Control"]


UNKNOWN = "5f0c1f0e-8d8b-4a38-9f63-3f2b1c6f4a11"  # drawn once


@pytest.mark.django_db
@pytest.mark.parametrize(
    "order_id",
    [
        UNKNOWN,
        "1",
        "x" * 500,
        "%00",
        "{%s}",
        "../admin",
        "%F0%9F%91%9F",
        "a/b/c",
        UNKNOWN.upper(),
    ],
)
def test_an_unknown_or_malformed_id_is_not_found_everywhere(client: Client, order_id: str) -> None:
    order = place(open_drop())
    order_id = order_id.replace("%s", str(order.public_id))
    for method, address in (("get", "status"), ("post", "cancel"), ("get", "")):
        answer = getattr(client, method)(f"/orders/{order_id}/{address}", headers=JSON)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found"), address
    assert client.get(f"/orders/{order_id}/status").json()["error"] == "not_found"
    assert "text/html" in client.get(f"/orders/{order_id}/").headers["Content-Type"]


@pytest.mark.django_db
def test_another_spelling_of_an_id_is_another_id(client: Client) -> None:
    order = place(open_drop())
    assert client.get(f"/orders/{order.public_id.hex}/status").status_code == 404


# --- giving up --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_customer_cancels_without_a_token_and_may_repeat_it() -> None:
    client = Client(enforce_csrf_checks=True)
    order = place(open_drop())
    address = f"/orders/{order.public_id}/cancel"
    for _ in range(2):
        answer = client.post(address, headers=JSON)
        assert (answer.status_code, answer.json()["status"], answer.json()["outcome"]) == (
            200,
            "compensating",
            "cancelled",
        )
        assert set(answer.json()) == KEYS
    assert client.post(address, content_type="application/json", data=b"").status_code in (200, 303)
    form = client.post(address)
    assert (form.status_code, form.headers["Location"]) == (303, f"/orders/{order.public_id}/")


@pytest.mark.usefixtures("strangers")
def test_from_the_approval_on_it_is_too_late_to_cancel(client: Client) -> None:
    order = paid_order(open_drop())
    approve(order)
    for _ in range(2):
        answer = client.post(f"/orders/{order.public_id}/cancel", headers=JSON)
        assert (answer.status_code, answer.json()["error"]) == (409, "too_late")
        form = client.post(f"/orders/{order.public_id}/cancel")
        assert (form.status_code, "Too late to cancel" in form.content.decode()) == (409, True)
        settle()
    assert "Cancel this order" not in page(client, order)


@pytest.mark.django_db
def test_only_a_post_cancels(client: Client) -> None:
    order = place(open_drop())
    answer = client.get(f"/orders/{order.public_id}/cancel")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert client.post(f"/orders/{order.public_id}/status", headers=JSON).status_code == 405
    assert status(client, order)["status"] == "processing"


@pytest.mark.usefixtures("strangers")
def test_an_order_that_was_not_paid_in_time_says_so(client: Client, settings: Any) -> None:
    order = place(open_drop())
    settle()
    later(settings.PAYMENT_TIMEOUT + timedelta(seconds=1))
    settle()
    shown = page(client, order)
    assert "Time to pay ran out" in shown
    assert "Nothing was charged." in shown
