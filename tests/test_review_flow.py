"""A reviewer's way through the desk: filters, the next order, what is live, and many orders at once."""

import os
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from fulfillment.models import Decision, ReviewLock
from orders import clock
from orders.models import Evidence, Order, Payment, Work
from orders.risk.score import Score
from orders.states import Level, State, Step
from tests.life import fresh, open_drop, story
from tests.reviews import a_reviewer, a_user, browser, in_review

pytestmark = pytest.mark.django_db
DESK = "/admin/review/"
RACES = int(os.environ.get("QS_RACES", "30"))
JSON = {"HTTP_ACCEPT": "application/json"}


@pytest.fixture(autouse=True)
def time_put_right():
    yield
    clock.offset = timedelta(0)


def address(order: Order, query: str = "") -> str:
    return f"{DESK}{order.public_id}/{query}"


def decide(client: Any, order: Order, query: str = "", **words: str) -> Any:
    """As our own form sends it."""
    words = {"decision": "approve", "reason": "looks_genuine", "undo": "10", "next": "yes"} | words
    return client.post(address(order, query), words)


def listed(client: Any, query: str = "") -> list[int]:
    page = client.get(f"{DESK}{query}")
    return [row.number for row in page.context["rows"]]


# --- filters ----------------------------------------------------------------------------------------------------------


def test_each_filter_leaves_what_it_says():
    drop = open_drop({"9": 9, "10": 1})
    rita, sam = a_reviewer(), a_reviewer("sam")
    client, colleague = browser(rita), browser(sam)
    orders = {
        "?level=high": in_review(drop, score=90),
        "?size=10.0": in_review(drop, size=Decimal("10")),
        "?held=me": in_review(drop),
        "?degraded=on": in_review(drop),
        "?second=on": in_review(drop),
        "?q=ada%40gmail.com": in_review(drop, email="A.d.a+1@gmail.com"),
        "?level=unseen": in_review(drop, score=90),
    }
    numbers = {query: order.number for query, order in orders.items()}
    Order.objects.filter(pk=numbers["?degraded=on"]).update(score_degraded=True)
    Evidence.objects.filter(pk=numbers["?level=unseen"]).update(explored=True)
    client.post(address(orders["?held=me"]), {"decision": "lock"})
    Decision.objects.create(
        order=orders["?second=on"],
        reviewer=sam,
        verdict="approve",
        reason="looks_genuine",
        decided_at=clock.now(),
        needs_second=True,
    )
    for query, number in numbers.items():
        assert listed(client, query) == [number], query
    assert numbers["?held=me"] in listed(client, f"?q=%23{numbers['?held=me']}")  # a pair may have that number, too
    assert sorted(listed(colleague, "?held=nobody")) == sorted(set(numbers.values()) - {numbers["?held=me"]})
    assert listed(client, "?level=high&size=10") == []
    everything = sorted(numbers.values())
    assert sorted(listed(client, "?size=x&left=&held=them&degraded=&q=")) == everything
    clock.offset = timedelta(hours=13)
    assert sorted(listed(client, "?left=soon")) == everything
    assert listed(client, "?left=urgent") == []


def test_only_who_may_see_orders_searches_them():
    order = in_review(open_drop(), email="ada@example.org")
    someone = a_user("someone")
    someone.user_permissions.add(Permission.objects.get(codename="decide_review"))
    client = browser(someone)
    assert listed(client, "?q=nobody") == [order.number]
    assert "or e-mail" not in client.get(DESK).text
    assert listed(browser(a_reviewer()), "?q=nobody") == []


def test_pages_and_rows_keep_the_filters(monkeypatch):
    monkeypatch.setattr("fulfillment.desk.PER_PAGE", 2)
    drop, client = open_drop(), browser(a_reviewer())
    *_, last = [in_review(drop, score=90) for _ in range(3)]
    query = "?level=high&amp;held=nobody"
    page = client.get(f"{DESK}?level=high&held=nobody").text
    assert f'href="{query}&amp;page=2"' in page
    for door in ("bulk", "next"):
        assert f'action="{DESK}{door}/{query}"' in page
    assert str(last.public_id) not in page
    page = client.get(f"{DESK}?level=high&held=nobody&page=2").text
    assert f'href="{last.public_id}/{query}"' in page
    assert f'href="{DESK}{query}"' in client.get(address(last, "?level=high&held=nobody")).text


def test_a_stand_in_score_and_a_step_that_has_stopped_stand_out():
    drop, client = open_drop(), browser(a_reviewer())
    in_review(drop)
    assert 'class="odd"' not in client.get(DESK).text
    order = in_review(drop)
    Order.objects.filter(pk=order.pk).update(score_degraded=True)
    stuck = in_review(drop)
    Work.objects.update_or_create(
        order=stuck, step=Step.SEND_AUTHORISED, defaults={"due_at": clock.now(), "parked_at": clock.now()}
    )
    Payment.objects.filter(order=stuck).update(capture_before=clock.now() + timedelta(hours=1))
    page = client.get(DESK).text
    assert "lapses <time datetime=" in page
    assert page.count('class="odd"') == 2
    assert "stand-in" in page
    assert "a step has stopped" in page


def test_an_order_reviewed_without_its_score_shows_none_and_needs_no_note_against_it():
    order, client = in_review(open_drop(), score=88), browser(a_reviewer())
    Evidence.objects.filter(pk=order.pk).update(explored=True)
    page = client.get(DESK).text
    assert "reviewed without score" in page
    assert "12 customers" not in page
    assert not re.search(r"\b88\b", re.sub(r"[0-9a-f-]{36}|datetime=\S+", "", page))  # \b: a tag is full of digits
    (review,) = client.get(f"{DESK}?format=json").json()["reviews"]
    assert (review["score"], review["level"]) == (None, None)
    assert listed(client, "?level=high") == []
    assert "needed" not in client.get(address(order)).text
    decide(client, order)
    decision = Decision.objects.get()
    assert decision.blind


# --- one after the other ----------------------------------------------------------------------------------------------


def test_after_a_decision_comes_the_next_order_of_the_filter_and_it_is_held():
    drop, rita = open_drop({"9": 9}), a_reviewer(email="rita@example.org")
    client, colleague = browser(rita), browser(a_reviewer("sam"))
    first, low, own, held, last = (
        in_review(drop),
        in_review(drop, score=10),
        in_review(drop, email="rita@example.org"),
        in_review(drop),
        in_review(drop),
    )
    colleague.post(address(held), {"decision": "lock"})
    query = "?level=medium"
    answer = decide(client, first, query)
    assert (answer.status_code, answer["Location"]) == (303, address(last, query))
    assert ReviewLock.objects.get(order=last).reviewer == rita
    page = client.get(answer["Location"]).text
    assert f'<span role="status">Order {first.number} will be approved</span> in' in page
    answer = decide(client, last, query, decision="reject", reason="suspected_bot")
    assert answer["Location"] == f"{DESK}{query}"  # the others are held, her own, or of another level
    assert decide(client, low)["Location"] == DESK
    assert fresh(own).state == State.AWAITING_APPROVAL


def test_a_plain_post_goes_back_to_the_desk_and_holds_nothing():
    drop, client = open_drop(), browser(a_reviewer())
    order, _ = in_review(drop), in_review(drop)
    answer = client.post(address(order), {"decision": "approve", "reason": "looks_genuine"})
    assert (answer.status_code, answer["Location"]) == (303, DESK)
    assert not ReviewLock.objects.exists()


def test_the_last_decision_is_withdrawn_from_the_next_page():
    drop, client = open_drop(), browser(a_reviewer())
    one, two = in_review(drop), in_review(drop)
    decide(client, one)
    assert f'action="{address(one)}"' in client.get(address(two)).text
    assert client.post(address(one), {"decision": "undo"})["Location"] == address(one)
    assert "Withdraw" not in client.get(address(two)).text
    assert listed(client) == [one.number, two.number]


def test_two_who_start_at_once_get_two_orders():
    drop = open_drop()
    orders = [in_review(drop) for _ in range(2)]
    people = [browser(a_reviewer(name)) for name in ("rita", "sam")]
    assert [each.post(f"{DESK}next/")["Location"] for each in people] == [address(order) for order in orders]
    assert browser(a_reviewer("tom")).post(f"{DESK}next/")["Location"] == DESK


def test_a_first_approval_leads_on_too(settings):
    settings.FOUR_EYES_SCORE = 0
    drop, client = open_drop(), browser(a_reviewer())
    one, two = in_review(drop), in_review(drop)
    assert decide(client, one)["Location"] == address(two)
    assert "A colleague gives the second one" in client.get(address(two)).text
    assert decide(client, two)["Location"] == DESK


def test_what_is_decided_cannot_be_held():
    order, client = in_review(open_drop()), browser(a_reviewer())
    decide(client, order)
    assert client.post(address(order), {"decision": "lock"}, **JSON).status_code == 409


# --- live -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def each_looks(monkeypatch: Any) -> None:
    """Nobody is told by what a colleague's look found a moment ago."""
    monkeypatch.setattr("fulfillment.desk.SHARED", 0)


def test_all_who_look_within_seconds_are_told_by_one_look_and_nobody_by_one_before_their_page(monkeypatch: Any):
    drop, client, colleague = open_drop(), browser(a_reviewer()), browser(a_reviewer("sam"))
    order, _ = in_review(drop), in_review(drop)
    live = f"{DESK}live/"
    tag = client.get(DESK).context["etag"]
    decide(colleague, order, decision="lock")
    with CaptureQueriesContext(connection) as queries:
        assert client.get(live, headers={"If-None-Match": tag}).status_code == 304
    assert len(queries) == 4  # session, person, their permissions and their groups'
    newer = colleague.get(DESK).context["etag"]
    assert colleague.get(live, headers={"If-None-Match": newer}).status_code == 304
    assert "held by sam" in client.get(live, headers={"If-None-Match": tag}).text
    decide(colleague, order, decision="leave")
    soon = time.time() + 4
    monkeypatch.setattr(time, "time", lambda: soon)
    assert "held by sam" not in client.get(live, headers={"If-None-Match": newer}).text


@pytest.mark.usefixtures("each_looks")
def test_the_live_list_is_unchanged_until_something_is():
    drop, client, colleague = open_drop({"9": 9}), browser(a_reviewer()), browser(a_reviewer("sam"))
    orders = [in_review(drop) for _ in range(4)]
    tag = client.get(DESK).context["etag"]

    def changed() -> str:
        nonlocal tag
        answer = client.get(f"{DESK}live/", HTTP_IF_NONE_MATCH=tag)
        if answer.status_code == 304:
            return ""
        tag = answer["ETag"]
        return str(answer.text)

    assert not changed()
    colleague.post(address(orders[0]), {"decision": "lock"})
    assert "held by sam" in changed()
    assert not changed()
    clock.offset += timedelta(minutes=4)
    assert "held by sam" not in changed()
    decide(colleague, orders[1])
    assert f"#{orders[1].number}<" not in changed()
    colleague.post(address(orders[1]), {"decision": "undo"})
    decide(colleague, orders[2])  # as many as before, and not the same
    assert f"#{orders[1].number}<" in changed()
    in_review(drop)
    assert "4 to decide" in changed()
    clock.offset += timedelta(hours=13)
    assert 'class="soon"' in changed()
    assert not changed()
    orders[3].callbacks.filter(kind="approval").update(deadline_at=F("deadline_at") + timedelta(minutes=1))
    assert changed()
    with transaction.atomic():
        order = Order.objects.lock(orders[3].number)
        order.take_score(Score(order.score, Level(order.level), at=order.now, reasons=[{"text": "A new reason"}]))
        order.commit()
    assert "A new reason" in changed()


@pytest.mark.usefixtures("each_looks")
def test_what_came_and_went_between_two_looks_is_a_change_all_the_same():
    """The rows are read after their fingerprint: whoever has a later row under the earlier one must see it go."""
    drop, client, colleague = open_drop(), browser(a_reviewer()), browser(a_reviewer("sam"))
    one, other = in_review(drop), in_review(drop)
    client.post(address(other), {"decision": "lock"})  # the later end of the two
    for come, go in (("approve", "undo"), ("lock", "leave")):
        tag = client.get(DESK).context["etag"]
        decide(colleague, one, decision=come)
        decide(colleague, one, decision=go)
        assert client.get(f"{DESK}live/", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.usefixtures("each_looks")
def test_a_look_at_an_unchanged_list_is_one_query_beside_the_log_in(django_assert_num_queries: Any):
    in_review(open_drop())
    client = browser(a_reviewer())
    tag = client.get(DESK).context["etag"]
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"{DESK}live/", HTTP_IF_NONE_MATCH=tag).status_code == 304
    assert len(queries) == 5  # session, person, their permissions and their groups', the list


def test_a_row_is_rendered_once_for_everybody_and_again_when_something_in_it_changed(monkeypatch: Any):
    drop, client, colleague = open_drop(), browser(a_reviewer()), browser(a_reviewer("sam"))
    one, _ = in_review(drop), in_review(drop)
    made = []

    def render(_: str, shown: dict[str, Any]) -> str:
        made.append(shown["row"])
        return ""

    monkeypatch.setattr("fulfillment.rows.render_to_string", render)
    client.get(DESK)
    assert len(made) == 2
    colleague.get(DESK)
    client.get(f"{DESK}?held=nobody")  # each row's link takes the filter along
    assert len(made) == 4
    decide(colleague, one, decision="lock")
    clock.offset += timedelta(seconds=20)
    client.get(DESK)
    assert [(row.number, row.locked_by) for row in made[4:]] == [(one.number, "sam")]
    clock.offset += timedelta(minutes=1)
    client.get(DESK)
    assert len(made) == 7


def test_the_live_list_is_for_reviewers():
    assert browser(a_user()).get(f"{DESK}live/").status_code == 403
    assert browser().get(f"{DESK}live/").status_code == 302
    for door in ("bulk/", "next/"):
        assert browser(a_user(f"no {door}")).post(f"{DESK}{door}").status_code == 403
        assert browser(a_reviewer(door)).get(f"{DESK}{door}").status_code == 405


# --- many at once -----------------------------------------------------------------------------------------------------


def at_once(client: Any, orders: list[Order], **words: str) -> list[str]:
    page = client.post(f"{DESK}bulk/", {"order": [order.number for order in orders], **words})
    return [re.sub(r"<.*?>|\s+", " ", line).strip() for line in re.findall(r"<td>(.*?)</td>", page.text, re.DOTALL)]


def test_many_are_previewed_then_decided_each_by_every_rule_then_withdrawn(settings):
    settings.FOUR_EYES_SCORE = 80
    drop, client, colleague = open_drop({"9": 9}), browser(a_reviewer(email="r@example.org")), browser(a_reviewer("s"))
    orders = [
        in_review(drop),
        in_review(drop, score=76),
        in_review(drop, score=90),
        in_review(drop),
        in_review(drop, email="r@example.org"),
        in_review(drop),
    ]
    decide(colleague, orders[5], decision="reject", reason="suspected_bot")
    ReviewLock.objects.all().delete()  # of the one that came next
    colleague.post(address(orders[3]), {"decision": "lock"})
    expected = [
        "Approved, in effect 30 seconds after the click.",
        "Nothing: The score is high. To approve all the same needs a note that says why.",
        "Nothing: The score is high. To approve all the same needs a note that says why.",
        "Nothing: s is looking at this order. Take it over, or choose another.",
        "Nothing: This is your own order. A colleague decides it.",
        "Nothing: This order is decided already.",
    ]
    words = {"act": "approve:looks_genuine"}
    stories = [story(order) for order in orders]
    assert at_once(client, orders, **words) == expected
    assert [story(order) for order in orders] == stories  # nothing has happened
    words["note"] = "Called them."
    expected[1] = expected[0]
    expected[2] = "The approval is kept; a colleague gives the second one."
    assert at_once(client, orders, **words) == expected
    assert Decision.objects.count() == 1
    assert at_once(client, orders, confirm="yes", **words) == expected
    assert Decision.objects.count() == 4
    assert at_once(client, orders[:3], act="undo") == ["The decision is withdrawn."] * 3
    assert Decision.objects.filter(withdrawn_at=None).count() == 1
    assert {fresh(order).state for order in orders} == {State.AWAITING_APPROVAL}


def test_what_the_preview_refused_is_looked_at_again_and_never_decided_unseen():
    drop, client, colleague = open_drop(), browser(a_reviewer()), browser(a_reviewer("s"))
    free, held = in_review(drop), in_review(drop)
    colleague.post(address(held), {"decision": "lock"})
    act = {"act": "approve:looks_genuine"}
    page = client.post(f"{DESK}bulk/", {"order": [free.number, held.number], **act}).text
    colleague.post(address(held), {"decision": "leave"})
    shown: dict[str, list[str]] = {}
    for name, number in re.findall(r'<input type="hidden" name="(order|refused)" value="(\d+)">', page):
        shown.setdefault(name, []).append(number)
    again = client.post(f"{DESK}bulk/", {**shown, **act, "look": "again"}).text
    assert again.count("Approved, in effect") == 2
    client.post(f"{DESK}bulk/", {**shown, **act, "confirm": "yes"})
    assert Decision.objects.get().order == free


def test_a_preview_does_not_tell_the_score_of_an_order_that_is_reviewed_without_it(settings):
    settings.FOUR_EYES_SCORE = 75
    drop, client = open_drop(), browser(a_reviewer())
    orders = [in_review(drop, score=score) for score in (10, 90)]
    Evidence.objects.update(explored=True)
    low, high = at_once(client, orders, act="approve:looks_genuine")
    assert low == high
    assert not low.startswith("Nothing")


@pytest.mark.parametrize(
    ("orders", "act"),
    [
        ([], "approve:looks_genuine"),
        (["x"], "approve:looks_genuine"),
        (["9" * 5000], "approve:looks_genuine"),
        (list(range(101)), "undo"),
    ],
)
def test_nothing_ticked_or_too_much_is_422(orders, act):
    answer = browser(a_reviewer()).post(f"{DESK}bulk/", {"order": orders, "act": act})
    assert answer.status_code == 422


@pytest.mark.parametrize("act", ["", "approve", "approve:suspected_bot", "lock:x"])
def test_an_unknown_decision_on_many_does_nothing(act):
    order = in_review(open_drop())
    (line,) = at_once(browser(a_reviewer()), [order], act=act, confirm="yes")
    assert line.startswith("Nothing: ")


# --- many people ------------------------------------------------------------------------------------------------------


def people(live_server: Any, *names: str) -> list[httpx.Client]:
    """Reviewers at a browser each; a form comes back as JSON."""
    found = []
    for name in names:
        cookies = {"sessionid": browser(a_reviewer(name)).cookies["sessionid"].value}
        http = httpx.Client(base_url=live_server.url, cookies=cookies, timeout=60)
        http.get(DESK)
        http.headers["X-CSRFToken"] = http.cookies["csrftoken"]
        found.append(http)
    return found


@pytest.mark.django_db(transaction=True)
def test_in_many_races_over_http_no_order_is_decided_twice(live_server: Any):
    """Three people decide the same order at the same moment, one of them in bulk; more races with QS_RACES."""
    drop = open_drop({"9": RACES})
    orders = [in_review(drop) for _ in range(RACES)]
    three = people(live_server, "rita", "sam", "tom")
    ready = Barrier(len(three))

    def race(http: httpx.Client, index: int) -> Counter[int]:
        answers: Counter[int] = Counter()
        for number, order in enumerate(orders):
            ready.wait(60)
            if number % 3 == index:
                words = {"order": str(order.number), "act": "reject:suspected_bot", "confirm": "yes"}
                answers[303 if "Rejected" in http.post(f"{DESK}bulk/", data=words).text else 409] += 1
            else:
                words = {"decision": "approve", "reason": "looks_genuine", "undo": "10"}
                answers[http.post(address(order), data=words).status_code] += 1
        http.close()
        return answers

    with ThreadPoolExecutor(len(three)) as pool:
        answers = sum(pool.map(race, three, range(len(three))), Counter())
    assert answers == {303: RACES, 409: 2 * RACES}
    assert Decision.objects.count() == RACES
    assert {sum("stored" in what for what in story(order)) for order in orders} == {1}


@pytest.mark.django_db(transaction=True)
def test_people_who_work_through_the_desk_together_never_meet(live_server: Any):
    """Each is led from order to order, and nobody is ever told that a colleague was faster."""
    drop = open_drop({"9": 40})
    for _ in range(40):
        in_review(drop)
    four = people(live_server, "rita", "sam", "tom", "una")
    ready = Barrier(len(four))

    def work(http: httpx.Client) -> list[int]:
        ready.wait(60)
        where = http.post(f"{DESK}next/").headers["Location"]
        answers = []
        while where != DESK:
            words = {"decision": "approve", "reason": "looks_genuine", "undo": "10", "next": "yes"}
            answer = http.post(where, data=words)
            answers.append(answer.status_code)
            where = answer.headers["Location"]
        http.close()
        return answers

    with ThreadPoolExecutor(len(four)) as pool:
        answers = list(pool.map(work, four))
    assert Counter(status for each in answers for status in each) == {303: 40}
    assert all(answers)
    assert Decision.objects.count() == 40
