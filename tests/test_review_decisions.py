"""What a decision needs, who may make it, and that there is one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connections, transaction

from fulfillment.decisions import InvalidDecision, NotAllowed, decide_review
from fulfillment.groups import OPS
from fulfillment.models import Decision
from orders import clock, workflow
from orders.errors import AlreadyDecided, NotInReview, TooLate
from orders.models import Order
from orders.states import Outcome, State, Step
from tests.life import fresh, open_drop, place, story
from tests.reviews import a_reviewer, a_user, in_review

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def time_put_right():
    yield
    clock.offset = timedelta(0)


def decide(
    order: Order, reviewer: Any, verdict: str = "approve", reason: str = "looks_genuine", note: str = ""
) -> Decision:
    return decide_review(public_id=order.public_id, reviewer=reviewer, verdict=verdict, reason=reason, note=note)


def test_it_works():
    order, reviewer = in_review(open_drop()), a_reviewer()
    decision = decide(order, reviewer, note="  I know her. ")
    assert (decision.order_id, decision.reviewer, decision.verdict, decision.reason, decision.note) == (
        order.number,
        reviewer,
        "approve",
        "looks_genuine",
        "I know her.",
    )
    assert (decision.score, decision.level, decision.decided_at) == (70, "medium", fresh(order).updated_at)
    assert fresh(order).state == State.APPROVED
    assert order.work.filter(step=Step.CAPTURE_PAYMENT).exists()


def test_a_rejection_turns_the_order_round():
    order = in_review(open_drop())
    decide(order, a_reviewer(), "reject", "suspected_bot")
    assert (fresh(order).state, fresh(order).outcome) == (State.COMPENSATING, Outcome.REJECTED)


def test_the_journal_names_the_reviewer_and_the_reason():
    order = in_review(open_drop())
    decide(order, a_reviewer("rita"), "reject", "other", "Her own words.")
    event = order.events.get(what="rejected")
    assert (event.who, event.cause, event.data) == ("rita", "other", {"note": "Her own words."})


def test_nobody_decides_without_the_permission():
    order = in_review(open_drop())
    for user in (a_user("nobody"), a_user("ops", group=OPS), a_reviewer("former", is_active=False)):
        with pytest.raises(NotAllowed):
            decide(order, user)
    with pytest.raises(NotAllowed):
        decide(order, a_reviewer("withdrawn", is_staff=False))
    assert fresh(order).state == State.AWAITING_APPROVAL


@pytest.mark.parametrize("email", ["ada@gmail.com", "A.d.a+shoes@GoogleMail.com"])
def test_nobody_decides_on_their_own_order(email):
    order = in_review(open_drop(), email="ada@gmail.com")
    with pytest.raises(NotAllowed, match="own order"):
        decide(order, a_user("boss", email=email, is_superuser=True))
    assert not Decision.objects.exists()


def test_a_reviewer_without_an_email_decides_anything():
    assert decide(in_review(open_drop()), a_reviewer(email=""))


def test_an_unknown_order_is_unknown():
    with pytest.raises(Order.DoesNotExist):
        decide_review(public_id=uuid4(), reviewer=a_reviewer(), verdict="approve", reason="looks_genuine", note="")


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        ("approve", "suspected_bot"),
        ("reject", "looks_genuine"),
        ("approve", "because"),
        ("approve", ""),
        ("undo", "looks_genuine"),
        ("", ""),
    ],
)
def test_a_verdict_takes_its_own_reasons_only(verdict, reason):
    order = in_review(open_drop())
    with pytest.raises(InvalidDecision):
        decide(order, a_reviewer(), verdict, reason, "a note")
    assert fresh(order).state == State.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("score", "verdict", "reason"),
    [
        (70, "approve", "other"),
        (70, "reject", "other"),
        (90, "approve", "looks_genuine"),
        (10, "reject", "payment_risk"),
    ],
)
def test_another_reason_and_overruling_the_score_need_a_note(score, verdict, reason):
    order, reviewer = in_review(open_drop(), score=score), a_reviewer()
    with pytest.raises(InvalidDecision, match="note"):
        decide(order, reviewer, verdict, reason, " \n ")
    assert decide(order, reviewer, verdict, reason, "I called.")


def test_agreeing_with_the_score_needs_no_note():
    drop, reviewer = open_drop(), a_reviewer()
    assert decide(in_review(drop, score=10), reviewer)
    assert decide(in_review(drop, score=90), reviewer, "reject", "suspected_bot")


def test_a_note_has_an_end():
    order = in_review(open_drop())
    with pytest.raises(InvalidDecision, match="1000"):
        decide(order, a_reviewer(), note="x" * 1001)


def test_a_new_line_in_a_note_is_one_character_as_in_the_browser():
    note = "\r\n".join(["nine char"] * 100)
    assert decide(in_review(open_drop()), a_reviewer(), note=note).note == note.replace("\r", "")


@pytest.mark.parametrize("again", [("approve", "looks_genuine"), ("reject", "suspected_bot")])
def test_a_decided_order_stays_decided_even_for_the_same_person(again):
    order, reviewer = in_review(open_drop()), a_reviewer()
    decide(order, reviewer)
    with pytest.raises(AlreadyDecided):
        decide(order, reviewer, *again)
    assert story(order).count("approved") == 1


def test_after_the_deadline_it_is_too_late():
    order = in_review(open_drop(), time=timedelta(hours=1))
    clock.offset = timedelta(hours=1, seconds=1)
    with pytest.raises(TooLate):
        decide(order, a_reviewer())
    assert not Decision.objects.exists()


def test_an_unpaid_order_is_not_in_review():
    with pytest.raises(NotInReview):
        decide(place(open_drop()), a_reviewer())


def test_a_cancelled_order_takes_no_decision():
    order = in_review(open_drop())
    workflow.cancel_order(public_id=order.public_id)
    with pytest.raises((AlreadyDecided, TooLate)):
        decide(order, a_reviewer())


def test_the_schema_knows_one_decision_an_order_and_the_reasons_of_each_verdict():
    order, reviewer = in_review(open_drop()), a_reviewer()
    decision = decide(order, reviewer)
    for change in ({"reason": "suspected_bot"}, {"reason": "other"}, {"verdict": "perhaps"}, {"level": "huge"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Decision.objects.filter(pk=decision.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.create(
            order=order, reviewer=reviewer, verdict="approve", reason="looks_genuine", decided_at=order.now
        )


@pytest.mark.django_db(transaction=True)
def test_of_two_reviewers_at_once_one_decides():
    order = in_review(open_drop())
    people = [a_reviewer("rita"), a_reviewer("sven")]
    ready = Barrier(2)

    def run(reviewer: Any, verdict: str, reason: str) -> str:
        ready.wait()
        try:
            return decide(order, reviewer, verdict, reason).verdict
        except AlreadyDecided as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(run, people[0], "approve", "looks_genuine"),
            pool.submit(run, people[1], "reject", "suspected_bot"),
        ]
        answers = sorted(each.result() for each in runs)
    decision = Decision.objects.get()
    assert answers == sorted(["already_decided", decision.verdict])
    assert fresh(order).state == (State.APPROVED if decision.verdict == "approve" else State.COMPENSATING)
