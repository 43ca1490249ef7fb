"""A decision may be withdrawn until it takes effect, waits for a second person's where the score asks for it, and is
not made under a colleague's hands."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from fulfillment.decisions import NotAllowed, decide_review, withdraw
from fulfillment.locks import LOCK_TIME
from fulfillment.models import Decision
from orders import clock
from orders.engine import run_due
from orders.errors import AlreadyDecided
from orders.models import Order
from orders.states import Outcome, State, Step
from orders.sweep import sweep
from orders.workflow import cancel_order, undo_order
from tests.life import at_once, fresh, kinds, later, open_drop, story
from tests.reviews import a_reviewer, a_user, browser, in_review

pytestmark = pytest.mark.usefixtures("strangers")
JSON = {"HTTP_ACCEPT": "application/json"}


def post(client, order, **words):
    return client.post(f"/admin/review/{order.public_id}/", words, **JSON)


def approve(client, order, **words):
    return post(client, order, **({"decision": "approve", "reason": "looks_genuine", "note": "I called."} | words))


def reject(client, order, **words):
    return post(client, order, **({"decision": "reject", "reason": "suspected_bot", "note": "Seen it."} | words))


def reviews(client):
    return client.get("/admin/review/?format=json").json()["reviews"]


def after(seconds):
    """Reviews end that are due; what follows from it waits, for there is no provider."""
    later(timedelta(seconds=seconds))
    sweep()
    run_due([Step.EXPIRE_REVIEW], undo_order)


# --- the time to withdraw ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decide", "state"), [(approve, State.APPROVED), (reject, State.COMPENSATING)])
def test_a_decision_is_stored_at_once_and_takes_effect_later(decide, state):
    order, client = in_review(open_drop()), browser(a_reviewer())
    assert decide(client, order, undo=10).status_code == 200
    assert Decision.objects.get().withdrawn_at is None
    after(9)
    assert fresh(order).state == State.AWAITING_APPROVAL
    after(2)
    assert fresh(order).state == state


def test_its_reviewer_withdraws_it_and_decides_anew():
    order, client = in_review(open_drop()), browser(a_reviewer())
    approve(client, order, undo=10)
    assert post(client, order, decision="undo").status_code == 200
    after(11)
    assert fresh(order).state == State.AWAITING_APPROVAL
    assert [what for what in story(order) if "mail" not in what][-2:] == ["approval stored", "decision withdrawn"]
    assert [review["number"] for review in reviews(client)] == [order.number]
    assert reject(client, order).status_code == 200
    assert fresh(order).outcome == Outcome.REJECTED
    assert Decision.objects.count() == 2


def test_nobody_else_withdraws_it_and_nobody_twice():
    order, client, other = in_review(open_drop()), browser(a_reviewer()), browser(a_reviewer("sam"))
    approve(client, order, undo=10)
    assert post(other, order, decision="undo").status_code == 409
    assert post(client, order, decision="undo").status_code == 200
    assert post(client, order, decision="undo").status_code == 409


def test_in_effect_it_is_past_withdrawing():
    order, client = in_review(open_drop()), browser(a_reviewer())
    approve(client, order)
    assert post(client, order, decision="undo").status_code == 409
    waits = in_review(open_drop())
    approve(client, waits, undo=5)
    later(timedelta(seconds=6))  # due, and no worker has come yet
    assert post(client, waits, decision="undo").status_code == 409


def test_while_it_waits_the_order_is_decided_for_everybody():
    order, client, other = in_review(open_drop()), browser(a_reviewer()), browser(a_reviewer("sam"))
    approve(client, order, undo=10)
    assert reviews(other) == []
    for again in (client, other):
        answer = reject(again, order)
        assert (answer.status_code, answer.json()["error"]) == (409, "already_decided")


def test_a_customers_cancel_wins():
    order, client = in_review(open_drop()), browser(a_reviewer())
    approve(client, order, undo=10)
    cancel_order(public_id=order.public_id)
    later(timedelta(seconds=11))
    assert post(client, order, decision="undo").status_code == 409
    assert fresh(order).outcome == Outcome.CANCELLED
    assert "approved" not in story(order)


def test_an_overtaken_decision_is_shown_as_such():
    drop, client = open_drop(), browser(a_reviewer())
    order, other = in_review(drop), in_review(drop)
    approve(client, order, undo=10)
    cancel_order(public_id=order.public_id)
    shown = client.get(f"/admin/review/{order.public_id}/").text
    assert "The order is compensating, cancelled." in shown
    assert "Withdraw" not in shown
    assert "will be approved" not in client.get(f"/admin/review/{other.public_id}/").text


def test_a_decision_made_in_time_counts_though_it_takes_effect_after_the_deadline():
    order, client = in_review(open_drop(), time=timedelta(seconds=8)), browser(a_reviewer())
    reject(client, order, undo=20)
    after(9)
    assert fresh(order).state == State.AWAITING_APPROVAL
    after(12)
    assert fresh(order).outcome == Outcome.REJECTED


def test_withdrawn_after_the_deadline_the_order_times_out():
    order, client = in_review(open_drop(), time=timedelta(seconds=8)), browser(a_reviewer())
    reject(client, order, undo=20)
    after(9)
    assert post(client, order, decision="undo").status_code == 200
    after(0)
    assert fresh(order).outcome == Outcome.APPROVAL_TIMEOUT


@pytest.mark.parametrize("undo", ["31", "-1", "soon", "1.5", "²"])
def test_the_time_to_withdraw_is_a_number_of_seconds_up_to_thirty(undo):
    order, client = in_review(open_drop()), browser(a_reviewer())
    assert approve(client, order, undo=undo).status_code == 422
    assert not Decision.objects.exists()


def test_a_form_without_a_script_shows_how_to_withdraw():
    order, client = in_review(open_drop()), browser(a_reviewer())
    words = {"decision": "approve", "reason": "looks_genuine", "note": "", "undo": "10"}
    page = client.post(f"/admin/review/{order.public_id}/", words, follow=True)
    assert b"Withdraw the decision" in page.content
    assert b'value="undo"' in client.get(f"/admin/review/{order.public_id}/").content


# --- four eyes --------------------------------------------------------------------------------------------------------


def test_a_high_score_takes_two_people_to_approve(settings):
    settings.FOUR_EYES_SCORE = 75
    order, one, two = in_review(open_drop(), score=80), browser(a_reviewer()), browser(a_reviewer("sam"))
    answer = approve(one, order)
    assert (answer.status_code, answer.json()["error"]) == (202, "second_approval_needed")
    assert fresh(order).state == State.AWAITING_APPROVAL
    assert [review["secondApproval"] for review in reviews(two)] == [True]
    assert approve(one, order).status_code == 409
    assert reject(one, order).status_code == 409
    own = one.get(f"/admin/review/{order.public_id}/").text
    assert "Withdraw the approval" in own
    assert 'value="approve"' not in own
    assert "first approval" in story(order)
    assert approve(two, order).status_code == 200
    assert fresh(order).state == State.APPROVED


def test_below_that_score_one_person_does_and_a_rejection_always_takes_one(settings):
    settings.FOUR_EYES_SCORE = 75
    drop, client = open_drop(), browser(a_reviewer())
    low, high = in_review(drop, score=74), in_review(drop, score=90)
    assert approve(client, low).status_code == 200
    assert reject(client, high).status_code == 200


def test_a_second_account_of_the_same_person_is_no_second_person(settings):
    settings.FOUR_EYES_SCORE = 75
    order = in_review(open_drop(), score=80)
    approve(browser(a_reviewer(email="rita@gmail.com")), order)
    assert approve(browser(a_reviewer("alias", email="R.i.t.a+2@googlemail.com")), order).status_code == 409
    assert fresh(order).state == State.AWAITING_APPROVAL


def test_a_colleague_may_still_reject_and_the_first_approval_may_be_withdrawn(settings):
    settings.FOUR_EYES_SCORE = 75
    drop, one, two = open_drop(), browser(a_reviewer()), browser(a_reviewer("sam"))
    order, other = in_review(drop, score=80), in_review(drop, score=80)
    approve(one, order)
    assert reject(two, order, undo=10).status_code == 200
    assert post(one, order, decision="undo").status_code == 409
    approve(one, other)
    assert post(one, other, decision="undo").status_code == 200
    assert approve(two, other).status_code == 202


def test_who_pressed_the_wrong_key_withdraws_a_first_approval_from_the_next_page(settings):
    settings.FOUR_EYES_SCORE = 75
    drop, rita = open_drop(), a_reviewer()
    one, two = browser(rita), browser(a_reviewer("sam"))
    order, other = in_review(drop, score=80), in_review(drop)
    words = {"decision": "approve", "reason": "looks_genuine", "note": "Oops.", "undo": "10", "next": "yes"}
    where = one.post(f"/admin/review/{order.public_id}/", words)["Location"]
    assert where == f"/admin/review/{other.public_id}/"
    offer = f"Your approval of order {order.number} is kept. A colleague gives the second one."
    for page in (where, "/admin/review/"):
        shown = one.get(page).text
        assert offer in shown
        assert f'<form method="post" action="/admin/review/{order.public_id}/">' in shown
        assert "Withdraw the approval" in shown
        assert offer not in two.get(page).text
    assert post(two, order, decision="undo").status_code == 409
    assert post(browser(a_reviewer("gone", is_staff=False)), order, decision="undo").status_code == 403
    assert post(one, order, decision="undo").status_code == 200
    event = order.events.get(what="decision withdrawn")
    assert (event.who, event.actor) == ("rita", "reviewer")
    assert (Decision.objects.get().withdrawn_at, Decision.objects.get().note) == (event.at, "Oops.")
    assert offer not in one.get(where).text
    assert approve(two, order).status_code == 202


def test_a_first_approval_is_offered_to_withdraw_for_a_while_and_not_once_the_second_is_there(settings):
    settings.FOUR_EYES_SCORE = 75
    drop, one, two = open_drop(), browser(a_reviewer()), browser(a_reviewer("sam"))
    order, other = in_review(drop, score=80), in_review(drop, score=80)
    approve(one, order)
    later(timedelta(seconds=31))
    assert "Withdraw" not in one.get("/admin/review/").text  # u is for the last key, not for an hour ago
    assert "Withdraw the approval" in one.get(f"/admin/review/{order.public_id}/").text
    approve(one, other)
    approve(two, other, undo=10)
    assert "Withdraw" not in one.get("/admin/review/").text
    assert post(one, other, decision="undo").status_code == 409


def test_a_first_approval_withdrawn_as_the_second_comes_leaves_one_of_both(settings):
    settings.FOUR_EYES_SCORE = 75
    drop, rita, sam = open_drop({"9": 9}), a_reviewer(), a_reviewer("sam")
    for _ in range(9):
        order = in_review(drop, score=80)
        words = {"public_id": order.public_id, "verdict": "approve", "reason": "looks_genuine", "note": "x"}
        decide_review(reviewer=rita, **words)
        second, first = at_once(
            [
                lambda words=words: decide_review(reviewer=sam, **words),
                lambda order=order: withdraw(public_id=order.public_id, reviewer=rita),
            ]
        )
        approved = fresh(order).state == State.APPROVED
        assert approved == isinstance(first, AlreadyDecided)
        assert approved != second.needs_second


def test_two_first_approvals_at_once_are_a_first_and_a_second(settings):
    settings.FOUR_EYES_SCORE = 75
    order, people = in_review(open_drop(), score=80), [a_reviewer(), a_reviewer("sam")]

    def say_yes(person):
        return decide_review(
            public_id=order.public_id, reviewer=person, verdict="approve", reason="looks_genuine", note="x"
        ).needs_second

    assert sorted(at_once([lambda p=p: say_yes(p) for p in people])) == [False, True]
    assert fresh(order).state == State.APPROVED


# --- holding an order -------------------------------------------------------------------------------------------------


def test_a_colleague_cannot_decide_what_somebody_holds_until_they_take_it_over():
    order, one, two = in_review(open_drop()), browser(a_reviewer()), browser(a_reviewer("sam"))
    assert post(one, order, decision="lock").status_code == 200
    assert [review["lockedBy"] for review in reviews(two)] == ["rita"]
    answer = approve(two, order)
    assert (answer.status_code, answer.json()["error"]) == (409, "locked")
    assert post(two, order, decision="lock").status_code == 409
    post(two, order, decision="leave")  # it is not his to let go
    assert approve(two, order).status_code == 409
    assert post(two, order, decision="take_over").status_code == 200
    assert approve(one, order).status_code == 409
    assert approve(two, order).status_code == 200


def test_a_lock_ends_by_itself_or_when_its_holder_leaves():
    drop, one, two = open_drop(), browser(a_reviewer()), browser(a_reviewer("sam"))
    order, other = in_review(drop), in_review(drop)
    post(one, order, decision="lock")
    later(LOCK_TIME + timedelta(seconds=1))
    assert [review["lockedBy"] for review in reviews(two)] == [None, None]
    assert approve(two, order).status_code == 200
    post(one, other, decision="lock")
    post(one, other, decision="leave")
    assert approve(two, other).status_code == 200


def test_who_has_decided_holds_the_order_no_longer(settings):
    settings.FOUR_EYES_SCORE = 0
    order, one, two = in_review(open_drop()), browser(a_reviewer()), browser(a_reviewer("sam"))
    post(one, order, decision="lock")
    assert approve(one, order).status_code == 202
    assert approve(two, order).status_code == 200


def test_who_gave_the_first_approval_does_not_hold_the_order_against_the_second_person(settings):
    settings.FOUR_EYES_SCORE = 0
    drop, one, two = open_drop(), browser(a_reviewer(email="rita@gmail.com")), browser(a_reviewer("sam"))
    order = in_review(drop)
    alias = browser(a_reviewer("alias", email="ri.ta@gmail.com"))
    assert approve(one, order).status_code == 202
    for client in (one, alias):
        for word in ("lock", "take_over"):
            assert post(client, order, decision=word).json()["error"] == "already_decided"
        assert client.post("/admin/review/next/")["Location"] == "/admin/review/"
        assert "data-hold" not in client.get(f"/admin/review/{order.public_id}/").text
    assert approve(two, order).status_code == 200


def test_a_lock_does_not_hide_that_the_order_is_cancelled():
    order, one, two = in_review(open_drop()), browser(a_reviewer()), browser(a_reviewer("sam"))
    post(one, order, decision="lock")
    cancel_order(public_id=order.public_id)
    assert approve(two, order).json()["error"] == "already_decided"


def test_the_own_lock_is_no_hindrance_and_none_is_needed():
    drop, client = open_drop(), browser(a_reviewer())
    order, other = in_review(drop), in_review(drop)
    post(client, order, decision="lock")
    assert approve(client, order).status_code == 200
    assert approve(client, other).status_code == 200


# --- whatever door ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["undo", "lock", "take_over", "leave", "approve"])
def test_without_the_permission_nothing_is_possible(word):
    order, reviewer = in_review(open_drop()), browser(a_reviewer())
    approve(reviewer, order, undo=10)
    assert post(browser(a_user("joe")), order, decision=word, reason="looks_genuine").status_code == 403
    assert Decision.objects.get().withdrawn_at is None


def test_nobody_withdraws_a_decision_on_their_own_order():
    order, reviewer = in_review(open_drop(), email="rita@example.org"), a_reviewer(email="rita@example.org")
    with pytest.raises(NotAllowed):
        withdraw(public_id=order.public_id, reviewer=reviewer)


@pytest.mark.parametrize(
    "change", [lambda d: d.delete(), lambda d: d.update(note="better"), lambda d: d.update(verdict="reject")]
)
def test_a_decision_stays_as_it_was_made(change):
    order = in_review(open_drop())
    approve(browser(a_reviewer()), order)
    with pytest.raises(IntegrityError, match="stays"), transaction.atomic():
        change(Decision.objects.all())


def test_a_withdrawn_decision_stays_withdrawn():
    order, client = in_review(open_drop()), browser(a_reviewer())
    approve(client, order, undo=10)
    post(client, order, decision="undo")
    with pytest.raises(IntegrityError, match="stays"), transaction.atomic():
        Decision.objects.update(withdrawn_at=None)


def test_of_many_at_once_one_decides():
    order, people = in_review(open_drop()), [a_reviewer(f"r{n}") for n in range(6)]

    def decide(person):
        return decide_review(
            public_id=order.public_id, reviewer=person, verdict="approve", reason="looks_genuine", note="", undo=10
        )

    results = at_once([lambda p=p: decide(p) for p in people])
    assert kinds(results) == {"Decision": 1, "AlreadyDecided": 5}
    assert any(isinstance(result, AlreadyDecided) for result in results)
    assert Order.objects.get(number=order.number).stored.takes_effect_at > clock.now()
