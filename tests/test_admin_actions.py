"""What staff may do to an order in the admin: set it going again, or undo it; each asked for twice and written down."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from fulfillment.groups import FULFILLMENT, MERCHANT, OPS
from orders import workflow
from orders.audit import audit
from orders.models import Event, Order, Work
from orders.states import Outcome, State, Step
from tests.life import approve, fresh, one_step, open_drop, paid_order, place, settle, story
from tests.reviews import a_user, browser, in_review

ORDERS = "/admin/orders/order/"


def act(client: Client, action: str, *orders: Order, **words: str) -> Any:
    choice = {"action": action, "_selected_action": [order.number for order in orders]}
    return client.post(ORDERS, choice | words, follow=True)


def merchant() -> Client:
    return browser(a_user("mona", group=MERCHANT))


def ops() -> Client:
    return browser(a_user("olga", group=OPS))


# --- undo -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_undo_is_asked_for_twice_and_says_why():
    order, client = in_review(open_drop()), merchant()
    page = act(client, "call_off", order).text
    assert "Undo these orders?" in page
    assert f"order {order.number}, awaiting approval" in page
    assert "Please say why." in act(client, "call_off", order, confirmed="yes", reason="  ").text
    assert fresh(order).state == State.AWAITING_APPROVAL
    answer = act(client, "call_off", order, confirmed="yes", reason="The box fell into the river.")
    assert f"Order {order.number} is being undone." in answer.text
    assert (fresh(order).state, fresh(order).outcome) == (State.COMPENSATING, Outcome.ERROR)
    event = Event.objects.get(what="called off")
    assert (event.who, event.cause) == ("mona", "The box fell into the river.")


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("captured", [False, True])
def test_everything_is_given_back_even_of_an_approved_order(captured):
    drop = open_drop()
    order = paid_order(drop)
    approve(order)
    if captured:
        one_step(Step.CAPTURE_PAYMENT)
    workflow.call_off_order(number=order.number, who="mona", reason="scuffed")
    settle()
    order = fresh(order)
    assert (order.state, order.outcome, order.pair_id) == (State.COMPENSATED, Outcome.ERROR, None)
    assert order.payment.state == ("refunded" if captured else "voided")
    assert drop.pairs.filter(state="on_sale").count() == 3
    assert not audit().violations


@pytest.mark.usefixtures("strangers")
def test_what_has_shipped_or_is_undone_stays_and_others_go_on():
    drop = open_drop()
    gone, waiting = paid_order(drop), paid_order(drop)
    approve(gone)
    settle()
    client = merchant()
    answer = act(client, "call_off", gone, waiting, confirmed="yes", reason="scuffed").text
    assert f"Order {gone.number}: This order has shipped." in answer
    assert f"Order {waiting.number} is being undone." in answer
    assert "undone already" in act(client, "call_off", waiting, confirmed="yes", reason="again").text
    assert (fresh(gone).state, fresh(waiting).state) == (State.SHIPPED, State.COMPENSATING)
    assert story(waiting).count("called off") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("group", [FULFILLMENT, OPS])
def test_nobody_else_undoes_an_order(group):
    order, client = in_review(open_drop()), browser(a_user("rita", group=group))
    act(client, "call_off", order, confirmed="yes", reason="because")
    assert fresh(order).state == State.AWAITING_APPROVAL
    assert "Undo this order" not in client.get(f"{ORDERS}{order.number}/change/").text
    assert "Undo this order" in merchant().get(f"{ORDERS}{order.number}/change/").text


@pytest.mark.django_db
def test_too_many_at_once_are_refused(monkeypatch):
    monkeypatch.setattr("fulfillment.admin.base.MOST_AT_ONCE", 1)
    drop, client = open_drop(), merchant()
    orders = [in_review(drop), in_review(drop)]
    assert "At most 1 at once" in act(client, "call_off", *orders, confirmed="yes", reason="x").text
    assert not Event.objects.filter(what="called off").exists()


@pytest.mark.django_db
def test_what_is_confirmed_is_what_was_shown():
    drop, client = open_drop({"9": 9}), merchant()
    shown, found = place(drop), f"{ORDERS}?state__exact=processing"
    choice = {"action": "call_off", "_selected_action": [shown.number], "select_across": "1"}
    page = client.post(found, choice).text
    late = place(drop)
    form = page.split('class="story"')[1]
    sent: dict[str, Any] = {"confirmed": "yes", "reason": "scuffed", "_selected_action": []}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', form):
        sent |= {name: [*sent[name], value] if name == "_selected_action" else value}
    assert f'action="{ORDERS}" class="story"' in page
    client.post(ORDERS, sent)
    assert (fresh(shown).state, fresh(late).state) == (State.COMPENSATING, State.PROCESSING)
    assert "None of these is left." in act(client, "call_off", Order(number=10**9)).text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reason", "said"),
    [("a\0b", "no text"), ("x" * 501, "At most 500 characters"), ("\ufffd", "no text")],
    ids=["NUL", "too long", "no UTF-8"],
)
def test_a_reason_that_cannot_be_written_down_as_it_is_is_asked_for_again(reason, said):
    order, client = in_review(open_drop()), merchant()
    assert said in act(client, "call_off", order, confirmed="yes", reason=reason).text
    assert fresh(order).state == State.AWAITING_APPROVAL
    act(client, "call_off", order, confirmed="yes", reason="x" * 500)
    assert Event.objects.get(what="called off").cause == "x" * 500


@pytest.mark.django_db
def test_an_undo_needs_the_token_of_its_page():
    order = in_review(open_drop())
    client = browser(a_user("mona", group=MERCHANT), enforce_csrf_checks=True)
    assert act(client, "call_off", order, confirmed="yes", reason="x").status_code == 403


# --- resume -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_parked_order_is_resumed_after_a_second_question():
    order, client = place(open_drop()), ops()
    Work.objects.filter(order=order, step=Step.SCORE_RISK).update(parked_at=order.now, crashes=5)
    assert "Resume these orders?" in act(client, "resume", order).text
    assert order.work.get(step=Step.SCORE_RISK).parked_at
    assert f"Order {order.number} is resumed." in act(client, "resume", order, confirmed="yes").text
    assert order.work.get(step=Step.SCORE_RISK).parked_at is None
    assert Event.objects.get(what="resumed").who == "olga"


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("state", [State.PROCESSING, State.AWAITING_PAYMENT, State.AWAITING_APPROVAL, State.APPROVED])
def test_an_order_whose_work_is_lost_goes_on_and_nothing_is_done_twice(state):
    order = place(open_drop())
    if state != State.PROCESSING:
        order = paid_order(open_drop()) if state != State.AWAITING_PAYMENT else order
        settle()
    if state == State.APPROVED:
        approve(order)
        one_step(Step.CAPTURE_PAYMENT)
    order.work.all().delete()
    workflow.resume_order(number=order.number, who="olga")
    settle()
    reached = {State.PROCESSING: State.AWAITING_PAYMENT, State.APPROVED: State.SHIPPED}.get(state, state)
    assert fresh(order).state == reached
    assert not audit().violations


@pytest.mark.django_db
def test_resuming_does_not_hurry_a_decision_that_may_be_withdrawn():
    order = in_review(open_drop())
    words = {"reviewer": "rita", "reason": "looks_genuine", "note": ""}
    workflow.approve_order(number=order.number, undo=timedelta(seconds=10), **words)
    workflow.resume_order(number=order.number, who="olga")
    one_step(Step.EXPIRE_REVIEW)
    assert fresh(order).state == State.AWAITING_APPROVAL
    workflow.withdraw_decision(number=order.number, reviewer="rita")


@pytest.mark.django_db
def test_reviewers_resume_nothing():
    order, client = place(open_drop()), browser(a_user("rita", group=FULFILLMENT))
    act(client, "resume", order, confirmed="yes")
    assert "resumed" not in story(order)
    assert ">Resume<" not in client.get(f"{ORDERS}{order.number}/change/").text
    assert ">Resume<" in ops().get(f"{ORDERS}{order.number}/change/").text
