"""One review's page, what a lead may change there, and the ways round the rules that people try."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from fulfillment.decisions import decide_review
from fulfillment.groups import LEAD
from fulfillment.models import Decision, FirstLook
from orders import clock
from orders.engine import run_due
from orders.models import Callback, ClaimSignals, Event, Evidence, Order, Payment
from orders.risk import links
from orders.risk.score import score_order
from orders.states import Outcome, State, Step
from orders.sweep import sweep
from orders.workflow import reject_order, undo_order
from tests.life import a_claim, fresh, later, open_drop, place, rung, story
from tests.reviews import a_reviewer, a_user, browser, in_review

pytestmark = pytest.mark.django_db
JSON = {"HTTP_ACCEPT": "application/json"}
PHONE = "+1 415 555 2671"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def time_put_right():
    yield
    clock.offset = timedelta(0)


def a_lead(name: str = "lea", **fields: Any) -> User:
    return a_user(name, group=LEAD, **fields)


def url(order: Order, door: str = "") -> str:
    return f"/admin/review/{order.public_id}/{door}"


def page(client: Any, order: Order) -> str:
    answer = client.get(url(order))
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.text)


def decide(client: Any, order: Order, **words: Any) -> Any:
    words = {"decision": "approve", "reason": "looks_genuine", "note": "I called."} | words
    return client.post(url(order), words, **JSON)


def linked(drop: Any, count: int, **claim: Any) -> list[Order]:
    """Orders in review that share a phone."""
    orders = [in_review(drop, phone=PHONE, line1=f"{number} Main Street", **claim) for number in range(count)]
    links.rebuild()
    return orders


def held(order: Order, time: timedelta) -> Order:
    """The provider holds the money that long from now."""
    Payment.objects.filter(order=order).update(capture_before=clock.now() + time)
    return order


def deadline(order: Order) -> Any:
    return Callback.objects.open().get(order=order).deadline_at


def explore(order: Order) -> Order:
    Evidence.objects.filter(order=order).update(explored=True)
    return order


# --- what the page shows ----------------------------------------------------------------------------------------------


def test_the_score_comes_with_its_reasons_and_their_numbers():
    drop = open_drop({"9": 9})
    for score in (10, 20, 80):
        in_review(drop, score=score)
    order = in_review(drop, score=70)
    Evidence.objects.filter(order=order).update(model="rules-7/3")
    shown = page(browser(a_reviewer()), order)
    assert 'aria-label="Score 70 of 99, medium"' in shown
    assert "Higher than 66 % of the 3 other orders of this sale" in shown
    assert "rules-7/3" in shown
    assert "<code>ip_sale</code> 12</td>" in shown
    assert re.search(r'class="bar raises".*?<rect x="0.0" y="3" width="100.0".*?\+1.31', shown)
    assert re.search(r'class="bar lowers".*?<rect x="-22.9" y="3" width="22.9".*?-0.30', shown)


def test_a_stand_in_says_why_it_is_one():
    order = in_review(open_drop())
    with transaction.atomic():
        locked = Order.objects.lock(order.number)
        locked.score_degraded = True
        locked.record("scored", actor="worker", cause="The scorer failed with KeyError; the score is a stand-in.")
        locked.commit()
    assert "KeyError" in page(browser(a_reviewer()), order)


def test_an_explored_order_is_reviewed_without_its_score_until_that_is_over():
    order, client = explore(in_review(open_drop(), score=83)), browser(a_reviewer())
    with transaction.atomic():
        locked = Order.objects.lock(order.number)
        locked.record("scored", actor="worker", score=83, level="high", model="m/3")
        locked.commit()
    page(client, order)
    assert decide(client, order, note="", undo=10).status_code == 200, "no note is asked for against a level unseen"
    during = page(client, order)
    decide(client, order, decision="undo")
    for shown in (during, page(client, order)):
        assert "reviewed without its score" in shown
        assert not any(
            word in shown
            for word in ("score 83", "score: 83", ">83<", "one IP address", "the score is high", "gauge", "m/3")
        )
    decide(client, order, note="")
    assert 'aria-label="Score 83 of 99, high"' in page(client, order)
    kept = Decision.objects.first()
    assert (kept.score, kept.blind, kept.reasons) == (83, True, [])


def test_linked_orders_are_drawn_and_told_with_what_links_them():
    drop = open_drop({"9": 9})
    first, second, third = linked(drop, 3)
    reject_order(number=second.number, reviewer="x", reason="suspected_bot", note="")
    shown = page(browser(a_reviewer()), third)
    shown = shown[shown.index('id="linked"') :]
    assert shown.count('<text class="why"') == 2
    for other in (first, second):
        assert shown.count(f'href="{url(other)}"') == 2, "in the drawing and in the list"
    assert f"phone with {second.number}" in shown
    assert "3 orders belong together: 0 approved or shipped, 1 rejected" in shown
    assert "Remove a wrong link" not in shown
    assert "Linked with no other order" in page(browser(a_reviewer("sam")), in_review(drop))


def test_the_desk_counts_linked_orders(monkeypatch):
    monkeypatch.setattr("fulfillment.desk.SHARED", 0)
    drop, client = open_drop({"9": 9}), browser(a_reviewer())
    in_review(drop)
    linked(drop, 3)
    desk = client.get("/admin/review/")
    assert desk.text.count("<td>3</td>") == 3
    place(drop, a_claim(phone=PHONE, line1="9 Main Street"))
    links.rebuild()
    live = client.get("/admin/review/live/", headers={"If-None-Match": desk.context["etag"]})
    assert live.text.count("<td>4</td>") == 3


def test_a_reviewer_who_decides_a_group_is_named():
    first, second, third = linked(open_drop(), 3)
    client = browser(a_reviewer())
    for order in (first, second):
        assert decide(client, order).status_code == 200
    assert "rita decided 2 of them" in page(browser(a_reviewer("sam")), third)


def test_of_a_large_group_thirty_are_drawn_and_no_query_is_added():
    drop, client = open_drop({"9": 50}), browser(a_reviewer())
    order = linked(drop, 2)[0]
    page(client, order)  # the first look is noted once
    with CaptureQueriesContext(connection) as few:
        page(client, order)
    for far in linked(drop, 33)[-3:]:
        decide(browser(User.objects.get(username="rita")), far)
    with CaptureQueriesContext(connection) as many:
        shown = page(client, order)
    assert len(many) == len(few) == 21
    assert shown.count("<circle class=") == 31, "with the gauge's hub"
    assert "and 5 more, not drawn" in shown
    assert "rita decided 3 of them" in shown, "though none of the three is drawn"
    assert len(shown) < 80_000


def test_the_customers_other_orders_are_told_with_their_outcome():
    before, client = open_drop(), browser(a_reviewer())
    old = in_review(before, email="ada@gmail.com")
    reject_order(number=old.number, reviewer="x", reason="suspected_bot", note="")
    order = in_review(open_drop(name="Next"), email="A.da+x@googlemail.com")
    shown = page(client, order)
    assert re.search(rf'href="{url(old)}">Order {old.number}</a> <span>Test 1000 π.*?compensating, rejected', shown)
    assert "None." in page(client, in_review(before))


# --- what a decision keeps --------------------------------------------------------------------------------------------


def test_a_decision_keeps_how_it_came_about():
    order, client = in_review(open_drop(), score=80), browser(a_reviewer())
    Evidence.objects.filter(order=order).update(model="rules-7/3")
    page(client, order)
    later(timedelta(seconds=40))
    page(browser(a_reviewer("sam")), order)
    page(client, order)  # looking again, in another window, makes nobody quicker
    later(timedelta(seconds=2))
    assert decide(client, order).status_code == 200
    kept = Decision.objects.get()
    assert (kept.reviewer.username, kept.score, kept.model, kept.seconds) == ("rita", 80, "rules-7/3", 42)
    assert [reason["feature"] for reason in kept.reasons] == ["ip_sale", "phone_sale", "email_likeness"]
    assert (kept.reason, kept.note, kept.blind) == ("looks_genuine", "I called.", False)
    assert "after 42 s" in page(client, order)
    with pytest.raises(IntegrityError, match="stays"), transaction.atomic():
        Decision.objects.update(seconds=600)


def test_without_a_look_at_the_page_no_time_is_claimed():
    order = in_review(open_drop())
    decide(browser(a_reviewer()), order)
    assert Decision.objects.get().seconds is None
    page(browser(a_reviewer("sam")), order)
    assert not FirstLook.objects.exists(), "a look at what is decided is none"


def test_a_form_from_before_the_score_rose_does_not_pass_under_the_rules_of_the_old_one(settings):
    settings.FOUR_EYES_SCORE = 75
    order, client = in_review(open_drop(), score=70), browser(a_reviewer())
    page(client, order)
    with transaction.atomic():
        locked = Order.objects.lock(order.number)
        locked.score, locked.level = 90, "high"
        locked.commit()
    assert decide(client, order, note="").status_code == 422
    assert decide(client, order).status_code == 202


def test_a_form_says_which_score_it_showed_and_is_shown_anew_where_that_has_changed():
    order, client = in_review(open_drop(), score=70), browser(a_reviewer())
    assert page(client, order).count('<input type="hidden" name="score" value="70">') == 2
    Order.objects.filter(pk=order.pk).update(score=60)
    answer = decide(client, order, score="70")
    assert (answer.status_code, answer.json()["error"]) == (409, "score_changed")
    shown = client.post(url(order), {"decision": "approve", "reason": "looks_genuine", "note": "Kept.", "score": "70"})
    assert shown.status_code == 409
    for word in ("The score has changed", 'name="score" value="60"', "Kept."):
        assert word in shown.text
    assert decide(client, order, score=60).status_code == 200
    assert 'name="score"' not in page(client, explore(in_review(open_drop())))


# --- a wrong link -----------------------------------------------------------------------------------------------------


def cut(client: Any, order: Order, kind: str = "phone", reason: str = "A hotel's desk.") -> Any:
    return client.post(url(order, "links/"), {"kind": kind, "reason": reason}, **JSON)


def scored(orders: list[Order]) -> None:
    for order in orders:
        with transaction.atomic():
            locked = Order.objects.lock(order.number)
            locked.take_score(score_order(locked, locked.now))
            locked.commit()


def test_a_lead_removes_a_link_and_everybody_concerned_is_scored_again():
    orders = linked(open_drop({"9": 9}), 5)
    scored(orders)
    order, sibling = fresh(orders[0]), fresh(orders[1])
    answer = cut(browser(a_lead()), order)
    assert (answer.status_code, answer.json()["kind"]) == (200, "phone")
    assert fresh(order).score < order.score
    assert fresh(order).evidence.features["phone_sale"] is None
    assert fresh(sibling).score < sibling.score
    assert fresh(sibling).evidence.features["phone_sale"] == 4
    assert story(order)[-2:] == ["link removed", "scored again"]
    event = order.events.get(what="link removed")
    assert (event.who, event.cause, event.data) == ("lea", "A hotel's desk.", {"kind": "phone"})
    assert ClaimSignals.objects.get(order=order).link is None
    assert "Linked with no other order" in page(browser(a_reviewer()), order)
    assert ClaimSignals.objects.filter(link=orders[1].number).count() == 4
    assert cut(browser(a_lead("lee")), order).json()["error"] == "not_linked"


def test_removing_a_link_takes_its_own_permission_a_reason_and_the_csrf_token():
    order = linked(open_drop(), 2)[0]
    for user in (a_reviewer(), a_user("ops", group="Ops"), a_lead("gone", is_staff=False)):
        assert cut(browser(user), order).status_code == 403
    client = browser(a_lead())
    assert cut(client, order, reason=" ").status_code == 422
    assert cut(client, order, reason="x" * 301).status_code == 422
    assert cut(client, order, kind="ip").json()["error"] == "not_linked"
    assert client.get(url(order, "links/")).status_code == 405
    assert cut(browser(a_lead("lee"), enforce_csrf_checks=True), order).status_code == 403
    assert browser().post(url(order, "links/")).status_code == 302
    assert "link removed" not in story(order)


def test_a_form_removes_a_link_and_says_so():
    order = linked(open_drop(), 2)[0]
    client = browser(a_lead())
    assert "<option>phone</option>" in page(client, order)
    answer = client.post(url(order, "links/"), {"kind": "phone", "reason": "Wrong."}, follow=True)
    assert f"Order {order.number} is no longer linked by its phone." in answer.text


def test_each_way_on_from_a_review_keeps_the_filters():
    order, sibling = linked(open_drop(), 2)
    Order.objects.filter(pk=sibling.pk).update(customer_key=order.customer_key, drop=open_drop())
    client, query = browser(a_lead()), "?level=medium"
    held(order, 48 * HOUR)
    shown = client.get(url(order) + query).text
    assert shown.count(f'href="{url(sibling)}{query}"') == 5, "next, previous, drawing, list and the customer's"
    assert f'href="{url(sibling)}"' not in shown
    for door, words in (("deadline/", {"until": (deadline(order) + HOUR).isoformat()}), ("links/", {"kind": "phone"})):
        assert f'action="{url(order, door)}{query}"' in shown
        answer = client.post(url(order, door) + query, words | {"reason": "So."})
        assert (answer.status_code, answer["Location"]) == (303, url(order) + query)


def test_nobody_removes_a_link_of_their_own_order_or_under_a_colleagues_hands():
    mine, other = linked(open_drop(), 2, email=None)
    Order.objects.filter(pk=mine.pk).update(customer_key="lea@example.org")
    client = browser(a_lead(email="Lea+work@example.org"))
    assert cut(client, mine).status_code == 403
    browser(a_reviewer()).post(url(other), {"decision": "lock"}, **JSON)
    assert cut(client, other).json()["error"] == "locked"


def test_who_removed_a_link_does_not_decide_neither_the_order_nor_one_whose_score_fell_by_it():
    orders = linked(open_drop({"9": 9}), 5)
    scored(orders)
    lead = a_lead(email="lea@gmail.com")
    cut(browser(lead), orders[0])
    alias = a_lead("alias", email="L.e.a+2@googlemail.com")
    for client in (browser(lead), browser(alias)):
        for order in orders[:2]:
            answer = decide(client, order)
            assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
            shown = page(client, order)
            assert "A colleague decides it" in shown
            assert 'value="approve"' not in shown
    assert not Decision.objects.exists()
    assert decide(browser(a_reviewer()), orders[0]).status_code == 200


def test_who_approved_first_does_not_change_the_score_then_and_through_a_sibling_counts_no_longer(settings):
    settings.FOUR_EYES_SCORE = 0
    order, sibling, *_ = orders = linked(open_drop({"9": 9}), 5)
    scored(orders)
    lead = browser(a_lead())
    assert decide(lead, order).status_code == 202
    assert cut(lead, order).json()["error"] == "already_decided"
    assert cut(lead, sibling).status_code == 200
    second, third = browser(a_reviewer()), browser(a_reviewer("sam"))
    assert decide(second, order).status_code == 202
    assert "Withdraw the approval" in page(second, order)
    assert decide(third, order).status_code == 200
    assert fresh(order).state == State.APPROVED


def test_a_decided_order_keeps_the_score_that_was_decided_on():
    orders = linked(open_drop({"9": 9}), 3)
    scored(orders)
    order = fresh(orders[0])
    decide(browser(a_reviewer()), order)
    assert cut(browser(a_lead()), order).status_code == 200
    assert fresh(order).score == order.score
    assert story(order)[-1] == "link removed"


# --- more time --------------------------------------------------------------------------------------------------------


def extend(client: Any, order: Order, until: Any, reason: str = "She is at sea.") -> Any:
    until = until if isinstance(until, str) else until.isoformat()
    return client.post(url(order, "deadline/"), {"until": until, "reason": reason}, **JSON)


def ends() -> None:
    """Reviews end that are due."""
    sweep()
    run_due([Step.EXPIRE_REVIEW], undo_order)


def test_a_lead_gives_the_decision_more_time_and_the_sweep_waits_for_it():
    order, client = held(in_review(open_drop(), time=HOUR), 48 * HOUR), browser(a_lead())
    before = deadline(order)
    assert extend(client, order, before + HOUR).status_code == 200
    later(HOUR + timedelta(minutes=1))
    ends()
    assert fresh(order).state == State.AWAITING_APPROVAL
    assert decide(browser(a_reviewer()), order, decision="lock").status_code == 200
    later(HOUR)
    ends()
    assert fresh(order).outcome == Outcome.APPROVAL_TIMEOUT
    event = order.events.get(what="deadline extended")
    assert (event.who, event.cause, event.actor) == ("lea", "She is at sea.", "reviewer")
    assert event.data["before"] == before.isoformat(timespec="seconds")


def test_a_form_extends_by_what_it_offers_and_sent_twice_it_extends_once():
    order, client = held(in_review(open_drop(), time=HOUR), 3 * HOUR), browser(a_lead())
    offered = re.findall(r'<option value="([^"]*)">(1 h more|as long as the money is held)<', page(client, order))
    assert [text for _, text in offered] == ["1 h more", "as long as the money is held"]
    words = {"until": offered[0][0], "reason": "Once."}
    assert client.post(url(order, "deadline/"), words).status_code == 303
    assert client.post(url(order, "deadline/"), words).status_code == 422
    assert story(order).count("deadline extended") == 1
    assert "More time" not in page(browser(a_reviewer()), order)


def test_more_time_never_outlasts_the_held_money_nor_shortens_nor_revives_a_deadline():
    order, client = held(in_review(open_drop(), time=HOUR), 5 * HOUR), browser(a_lead())
    lapses = Payment.objects.get(order=order).capture_before
    for until in (
        lapses + timedelta(microseconds=1),
        deadline(order),
        deadline(order) - HOUR,
        "tomorrow",
        "2026-02-30T00:00:00Z",
        "2030-01-01T00:00:00",
    ):
        assert extend(client, order, until).status_code == 422
    assert extend(client, order, lapses).status_code == 200
    assert extend(client, order, lapses + HOUR).status_code == 422
    later(5 * HOUR + timedelta(seconds=1))
    answer = extend(client, order, lapses + 9 * HOUR)
    assert (answer.status_code, answer.json()["error"]) == (409, "too_late")
    ends()
    assert extend(client, order, lapses + 9 * HOUR).json()["error"] == "too_late"
    assert fresh(order).outcome == Outcome.APPROVAL_TIMEOUT


def test_without_a_known_lapse_there_is_no_more_time():
    order, client = in_review(open_drop()), browser(a_lead())
    assert extend(client, order, deadline(order) + HOUR).status_code == 422
    assert "not known to hold the money" in page(client, order)


def test_more_time_takes_its_own_permission_a_reason_and_a_review_that_is_open():
    drop = open_drop({"9": 5})
    order = held(in_review(drop), 48 * HOUR)
    until = deadline(order) + HOUR
    for user in (a_reviewer(), a_user("ops", group="Ops")):
        assert extend(browser(user), order, until).status_code == 403
    client = browser(a_lead(email="ada@example.org"))
    assert extend(client, order, until, reason="").status_code == 422
    assert extend(browser(a_lead("lee"), enforce_csrf_checks=True), order, until).status_code == 403
    assert extend(client, held(in_review(drop, email="ada+1@example.org"), 48 * HOUR), until).status_code == 403
    assert extend(client, place(drop), until).json()["error"] == "not_in_review"
    decide(browser(User.objects.get(username="rita")), order, undo=10)
    assert extend(client, order, until).json()["error"] == "already_decided"
    assert not Event.objects.filter(what="deadline extended").exists()


def test_an_extension_as_the_sweep_picks_the_deadline_up_is_not_lost():
    order, client = held(in_review(open_drop(), time=HOUR), 48 * HOUR), browser(a_lead())
    extend(client, order, deadline(order) + HOUR)
    # The sweep read the earlier deadline and came to mark it just after the extension was committed.
    Callback.objects.open().filter(order=order).update(picked_up_at=clock.now())
    rung(order, Step.EXPIRE_REVIEW)
    later(HOUR + timedelta(minutes=1))
    ends()
    assert fresh(order).state == State.AWAITING_APPROVAL
    later(HOUR)
    ends()
    assert fresh(order).outcome == Outcome.APPROVAL_TIMEOUT


# --- other ways round -------------------------------------------------------------------------------------------------


def test_a_second_session_or_account_of_one_person_decides_nothing_twice(settings):
    settings.FOUR_EYES_SCORE = 75
    order = in_review(open_drop(), score=80)
    rita = a_reviewer(email="rita@gmail.com")
    assert decide(browser(rita), order).status_code == 202
    Group.objects.get(name=LEAD).user_set.add(a_reviewer("alias", email="Ri.ta@gmail.com"))
    for client in (browser(rita), browser(User.objects.get(username="alias"))):
        assert decide(client, order).json()["error"] == "already_decided"
    assert fresh(order).state == State.AWAITING_APPROVAL


def test_the_own_order_is_refused_to_every_account_with_its_mailbox():
    order = in_review(open_drop(), email="ada@gmail.com")
    for name, email in (("ada", "ada@gmail.com"), ("second", "A.d.a+work@googlemail.com")):
        client = browser(a_lead(name, email=email))
        for word in ("approve", "reject", "undo", "lock", "take_over", "leave"):
            assert decide(client, order, decision=word).status_code == 403
        assert client.get(url(order)).status_code == 403
    assert not Decision.objects.exists()
    assert not FirstLook.objects.exists()


def test_a_permission_taken_away_is_gone_in_an_open_session():
    order, rita = in_review(open_drop()), a_reviewer()
    client = browser(rita)
    page(client, order)
    rita.groups.clear()
    assert decide(client, order).status_code == 403
    with pytest.raises(Exception, match="permission"):
        decide_review(
            public_id=order.public_id, reviewer=User.objects.get(pk=rita.pk), verdict="approve",
            reason="looks_genuine", note="",
        )  # fmt: skip
