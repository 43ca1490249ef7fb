"""The review desk over HTTP: pages, JSON and every refusal."""

import json
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fulfillment.models import Decision
from fulfillment.rows import rendered
from orders import clock, workflow
from orders.models import Order
from orders.states import State
from tests.life import fresh, open_drop, place
from tests.reviews import a_reviewer, a_user, browser, in_review

pytestmark = pytest.mark.django_db
DESK = "/admin/review/"
GENUINE = {"decision": "approve", "reason": "looks_genuine"}
AS_JSON = {"HTTP_ACCEPT": "application/json"}


@pytest.fixture(autouse=True)
def time_put_right():
    yield
    clock.offset = timedelta(0)


def url(order: Order) -> str:
    return f"{DESK}{order.public_id}/"


def test_it_works():
    order, client = in_review(open_drop(), name="Ada Lovelace"), browser(a_reviewer())
    assert f"{order.public_id}/" in client.get(DESK).text
    page = client.get(url(order)).text
    for shown in ("Ada Lovelace", "12 customers from one IP address", "+1.31", "299.00 USD", order.payment.intent_ref):
        assert shown in page
    answer = client.post(url(order), GENUINE)
    assert (answer.status_code, answer["Location"]) == (303, DESK)
    assert "is approved" in client.get(DESK).text
    assert fresh(order).state == State.APPROVED


def test_the_json_has_the_contracts_keys_most_urgent_first():
    drop = open_drop({"9": 5, "9.5": 1})
    calm = in_review(drop, score=99, time=timedelta(hours=20))
    low = in_review(drop, score=10, time=timedelta(hours=2), size=Decimal("9.5"))
    reviews = browser(a_reviewer()).get(f"{DESK}?format=json").json()["reviews"]
    assert [review["number"] for review in reviews] == [low.number, calm.number]
    assert reviews[0] == {
        "orderId": str(low.public_id),
        "number": low.number,
        "score": 10,
        "level": "low",
        "deadline": reviews[0]["deadline"],
        "size": 9.5,
        "lockedBy": None,
        "secondApproval": False,
    }
    assert reviews[0]["deadline"].endswith("Z")


def test_of_one_deadline_the_higher_score_comes_first():
    drop = open_drop()
    orders = [in_review(drop, score=score) for score in (10, 90, 70)]
    deadline = orders[0].open_callback().deadline_at
    for order in orders:
        order.callbacks.filter(kind="approval").update(deadline_at=deadline)
    reviews = browser(a_reviewer()).get(DESK, **AS_JSON).json()["reviews"]
    assert [review["score"] for review in reviews] == [90, 70, 10]


def test_only_what_can_be_decided_is_listed():
    drop, client = open_drop({"9": 6}), browser(a_reviewer())
    waiting = in_review(drop)
    workflow.reject_order(number=in_review(drop).number, reviewer="x", reason="suspected_bot", note="")
    place(drop)
    in_review(drop, time=timedelta(seconds=5))
    clock.offset = timedelta(seconds=10)
    assert [review["number"] for review in client.get(f"{DESK}?format=json").json()["reviews"]] == [waiting.number]


def test_an_empty_desk_says_so():
    assert "Nothing waits for a decision" in browser(a_reviewer()).get(DESK).text


def test_the_level_filters():
    drop, client = open_drop(), browser(a_reviewer())
    high, low = in_review(drop, score=90), in_review(drop, score=5)
    page = client.get(f"{DESK}?level=high").text
    assert str(high.public_id) in page
    assert str(low.public_id) not in page
    assert str(low.public_id) in client.get(f"{DESK}?level=nonsense").text


@pytest.mark.parametrize(("share", "urgency"), [(0.1, "calm"), (0.51, "soon"), (0.81, "urgent")])
def test_the_time_left_changes_colour(share, urgency):
    order = in_review(open_drop(), time=timedelta(hours=10))
    clock.offset = timedelta(hours=10) * share
    client = browser(a_reviewer())
    assert f'<td class="{urgency}">' in client.get(DESK).text
    assert f"clock {urgency}" in client.get(url(order)).text


def test_the_desk_stays_small_and_cheap_with_500_open_orders():
    drop = open_drop({"9": 500})
    client = browser(a_reviewer())
    in_review(drop)
    with CaptureQueriesContext(connection) as few:
        client.get(DESK)
    for _ in range(499):
        in_review(drop)
    with CaptureQueriesContext(connection) as many:
        page = client.get(DESK)
    assert len(many) == len(few) <= 10
    assert len(page.content) <= 80_000
    took = []
    for _ in range(3):
        rendered.cache_clear()
        begun = time.process_time()
        client.get(DESK)
        took.append(time.process_time() - begun)
    assert min(took) <= 0.15
    with CaptureQueriesContext(connection) as queries:
        reviews = client.get(f"{DESK}?format=json").json()["reviews"]
    assert len(reviews) == 500
    assert len(queries) <= 6
    on_pages = [row for number in range(1, 6) for row in client.get(f"{DESK}?page={number}").context["rows"]]
    assert [row.number for row in on_pages] == [review["number"] for review in reviews]


def test_a_review_costs_a_bounded_number_of_queries():
    order, client = in_review(open_drop()), browser(a_reviewer())
    with CaptureQueriesContext(connection) as queries:
        client.get(url(order))
    assert len(queries) <= 18


# --- the door of a decision -------------------------------------------------------------------------------------------


def post(client: Any, order: Order, body: Any = GENUINE, **headers: str) -> Any:
    return client.post(url(order), json.dumps(body), content_type="application/json", **headers)


def test_a_decision_in_json_is_answered_in_json():
    order = in_review(open_drop())
    answer = post(browser(a_reviewer()), order)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "orderId": str(order.public_id),
            "number": order.number,
            "decision": "approve",
            "reason": "looks_genuine",
            "status": "approved",
        },
    )


def test_a_form_that_asks_for_json_gets_it():
    order = in_review(open_drop())
    answer = browser(a_reviewer()).post(url(order), {"decision": "reject", "reason": "suspected_bot"}, **AS_JSON)
    assert (answer.status_code, answer.json()["status"]) == (200, "compensating")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": "approve"},
        {"decision": "approve", "reason": "suspected_bot"},
        {"decision": "approve", "reason": "other", "note": "  "},
    ],
)
def test_words_that_are_missing_or_unknown_are_422(body):
    order, client = in_review(open_drop()), browser(a_reviewer())
    answer = post(client, order, body)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")
    assert client.post(url(order), body).status_code == 422
    assert fresh(order).state == State.AWAITING_APPROVAL


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"note": 5}', b'{"note": "\\ud800"}', b'{"note": "\\u0000"}', b"\xff"])
def test_a_body_that_is_no_text_is_400(body):
    order = in_review(open_drop())
    answer = browser(a_reviewer()).post(url(order), body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]) == (400, "malformed")


def test_a_refused_form_comes_back_with_its_words():
    order = in_review(open_drop(), score=90)
    answer = browser(a_reviewer()).post(url(order), GENUINE | {"note": ""})
    assert answer.status_code == 422
    assert "The score is high" in answer.text
    assert 'value="looks_genuine" required checked' in answer.text


@pytest.mark.parametrize("order_id", [uuid4(), "nonsense", "1"])
def test_an_unknown_order_is_404(order_id):
    client = browser(a_reviewer())
    for answer in (client.get(f"{DESK}{order_id}/"), client.post(f"{DESK}{order_id}/", GENUINE)):
        assert answer.status_code == 404
        assert "no such order" in answer.text
    answer = client.post(f"{DESK}{order_id}/", GENUINE, **AS_JSON)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_a_second_decision_is_409():
    order, client = in_review(open_drop()), browser(a_reviewer())
    post(client, order)
    answer = post(client, order)
    assert (answer.status_code, answer.json()["error"]) == (409, "already_decided")
    page = client.post(url(order), GENUINE)
    assert page.status_code == 409
    assert "decided already" in page.text
    assert Decision.objects.count() == 1


def test_a_decision_after_the_deadline_is_409():
    order, client = in_review(open_drop(), time=timedelta(hours=1)), browser(a_reviewer())
    clock.offset = timedelta(hours=2)
    answer = post(client, order)
    assert (answer.status_code, answer.json()["error"]) == (409, "too_late")
    page = client.get(url(order)).text
    assert "The time to decide is over" in page
    assert "<textarea" not in page


def test_an_unpaid_order_is_409():
    assert post(browser(a_reviewer()), place(open_drop())).json()["error"] == "not_in_review"


def test_ones_own_order_is_403_and_is_not_shown():
    order = in_review(open_drop(), email="ada@example.org")
    client = browser(a_reviewer(email="Ada+staff@example.org"))
    assert client.get(url(order)).status_code == 403
    answer = post(client, order)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


def test_who_is_not_logged_in_is_sent_to_the_login():
    order = in_review(open_drop())
    for answer in (browser().get(DESK), browser().get(url(order)), browser().post(url(order), GENUINE)):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/?next=/admin/review/")
    for answer in (browser().get(f"{DESK}?format=json"), browser().get(DESK, **AS_JSON), post(browser(), order)):
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


@pytest.mark.parametrize("door", ["bulk/", "next/", "{}/", "{}/links/", "{}/deadline/"])
def test_who_was_logged_out_meanwhile_comes_back_to_the_page_with_the_form(door):
    order = in_review(open_drop())
    answer = browser().post(f"{DESK}{door.format(order.public_id)}?level=high")
    page = f"{DESK}{order.public_id}/" if "{}" in door else DESK
    (next_page,) = parse_qs(urlsplit(answer["Location"]).query)["next"]
    assert next_page == f"{page}?level=high"
    assert browser(a_reviewer()).get(next_page).status_code == 200


def test_a_defect_is_told_as_one_and_not_as_an_unknown_order(monkeypatch):
    def defective(**_: Any) -> None:
        int("x")

    monkeypatch.setattr("fulfillment.views.decide_review", defective)
    order, client = in_review(open_drop()), browser(a_reviewer())
    with pytest.raises(ValueError, match="invalid literal"):
        client.post(url(order), GENUINE)


def test_staff_without_the_permission_is_403():
    order, client = in_review(open_drop()), browser(a_user())
    for answer in (client.get(DESK), client.get(url(order)), client.post(url(order), GENUINE), post(client, order)):
        assert answer.status_code == 403
    assert fresh(order).state == State.AWAITING_APPROVAL


def test_a_decision_needs_the_csrf_token():
    order, client = in_review(open_drop()), browser(a_reviewer(), enforce_csrf_checks=True)
    assert client.post(url(order), GENUINE).status_code == 403
    assert post(client, order).status_code == 403
    client.get(url(order))
    token = client.cookies["csrftoken"].value
    assert post(client, order, HTTP_X_CSRFTOKEN=token).status_code == 200


def test_the_log_in_is_djangos():
    a_reviewer(password="secret-password")
    client = browser(enforce_csrf_checks=True)
    client.get("/admin/login/")
    words = {"username": "rita", "password": "secret-password", "next": DESK}
    answer = client.post("/admin/login/", words, HTTP_X_CSRFTOKEN=client.cookies["csrftoken"].value)
    assert (answer.status_code, answer["Location"]) == (302, DESK)
    assert client.get(DESK).status_code == 200


def test_the_pages_keep_the_public_id_to_themselves():
    order, client = in_review(open_drop()), browser(a_reviewer())
    answer = client.get(url(order))
    assert answer["Referrer-Policy"] == "same-origin"
    assert "no-store" in answer["Cache-Control"]
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "unsafe" not in client.get(DESK)["Content-Security-Policy"]
    assert "<style" not in answer.text
    assert " style=" not in answer.text


def test_what_a_customer_wrote_is_only_text():
    order = in_review(open_drop(), name="<script>alert(1)</script>")
    assert "<script>alert(1)" not in browser(a_reviewer()).get(url(order)).text
