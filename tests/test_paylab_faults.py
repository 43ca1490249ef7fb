"""What PayLab does wrong when it is told to, as the shop and its customer meet it."""

import io
from datetime import timedelta
from typing import Any

import httpx
import pytest
import stripe
from django.core.management import CommandError, call_command
from stripe import StripeClient

from orders.payments.paylab import clock, faults
from orders.payments.paylab.books import end_what_is_due
from orders.payments.paylab.cards import CARDS
from orders.payments.paylab.models import Event, Fault, FaultKind
from tests.paylab import VISA, base, client, held, pay, shoes

__all__ = ["base", "client"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)

BANK_ASKS = "4000002500003155"


def card_for(kind: FaultKind) -> str:
    return next(card.number for card in CARDS.values() if card.fault == kind)


def paid_with(client: StripeClient, kind: FaultKind) -> str:
    """Money held on the card that plays a fault; the intent's reference."""
    session = client.v1.checkout.sessions.create(shoes())
    assert pay(session, card_for(kind)).status_code == 303
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    assert isinstance(intent, str)
    return intent


def deliveries() -> list[str]:
    """Types of the events the courier would post now, in its order."""
    from orders.payments.paylab.courier import claim, note

    posted = []
    while events := claim():
        for event in events:
            if event.attempts:
                posted.append(event.type)
                note(event, "")
    return posted


def test_it_works(client: StripeClient) -> None:
    assert set(FaultKind) == {card.fault for card in CARDS.values() if card.fault}, "each fault has its card"
    intent = paid_with(client, FaultKind.CAPTURE_FAILS)
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.capture(intent)
    assert client.v1.payment_intents.cancel(intent).status == "canceled"


# --- calls ----------------------------------------------------------------------------------------


def test_a_500_before_the_work_did_nothing_and_is_remembered_with_its_key(client: StripeClient) -> None:
    intent = held(client)
    faults.add(FaultKind.ERROR_BEFORE, left=1, action="capture_intent")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as error:
            client.v1.payment_intents.capture(intent, options={"idempotency_key": "a"})
        assert error.value.http_status == 500
    assert client.v1.payment_intents.retrieve(intent).status == "requires_capture"
    assert client.v1.payment_intents.capture(intent, options={"idempotency_key": "b"}).status == "succeeded"


def test_a_500_after_the_work_did_it_and_is_remembered_with_its_key(client: StripeClient) -> None:
    intent = held(client)
    faults.add(FaultKind.ERROR_AFTER, left=1)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.v1.payment_intents.capture(intent, options={"idempotency_key": "a"})
    assert client.v1.payment_intents.retrieve(intent).status == "succeeded"


def test_an_answer_that_comes_when_nobody_listens(base: str, settings: Any, client: StripeClient) -> None:
    intent = held(client)
    faults.add(FaultKind.TIMEOUT_AFTER, left=1, delay=timedelta(seconds=1))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{base}/paylab/v1/payment_intents/{intent}/capture", auth=(settings.PAYLAB_API_KEY, ""), timeout=0.5
        )
    assert client.v1.payment_intents.retrieve(intent).status == "succeeded"


def test_money_that_cannot_be_let_go_can_be_let_go_later_with_another_key(client: StripeClient) -> None:
    intent = paid_with(client, FaultKind.VOID_FAILS)
    with pytest.raises(stripe.APIError):
        client.v1.payment_intents.cancel(intent)
    assert client.v1.payment_intents.cancel(intent).status == "canceled"


def test_a_sessions_metadata_names_its_faults(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(shoes(metadata={faults.METADATA: "error_before, capture_fails"}))
    with pytest.raises(stripe.APIError):
        client.v1.checkout.sessions.retrieve(session.id)
    pay(session)
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.capture(str(intent))
    assert client.v1.payment_intents.capture(held(client)).status == "succeeded", "others are not touched"
    with pytest.raises(stripe.InvalidRequestError, match="no fault 'flood'"):
        client.v1.checkout.sessions.create(shoes(metadata={faults.METADATA: "flood"}))


def test_the_seed_decides_which_calls_fail(client: StripeClient) -> None:
    def failures() -> list[bool]:
        Fault.objects.all().delete()
        faults.add(FaultKind.ERROR_BEFORE, rate=0.5, seed=7)
        found = []
        for _ in range(20):
            try:
                client.v1.events.list()
                found.append(False)
            except stripe.APIError:
                found.append(True)
        return found

    first = failures()
    assert first == failures()
    assert 4 < sum(first) < 16


# --- deliveries -----------------------------------------------------------------------------------


def test_an_event_may_be_lost_though_it_stands_in_the_list(client: StripeClient) -> None:
    paid_with(client, FaultKind.WEBHOOK_LOST)
    assert deliveries() == []
    assert [event.type for event in client.v1.events.list().data] == [
        "checkout.session.completed",
        "payment_intent.amount_capturable_updated",
    ]


def test_an_event_may_come_twice(client: StripeClient) -> None:
    paid_with(client, FaultKind.WEBHOOK_TWICE)
    assert sorted(deliveries()) == sorted(
        ["checkout.session.completed", "payment_intent.amount_capturable_updated"] * 2
    )


def test_an_event_may_come_late_by_paylabs_clock(client: StripeClient) -> None:
    paid_with(client, FaultKind.WEBHOOK_LATE)
    assert deliveries() == []
    clock.advance(timedelta(minutes=4))
    assert deliveries() == []
    clock.advance(timedelta(minutes=1))
    assert len(deliveries()) == 2


def test_an_event_may_be_overtaken(client: StripeClient) -> None:
    paid_with(client, FaultKind.WEBHOOK_OVERTAKEN)
    assert deliveries() == ["checkout.session.completed"]
    clock.advance(timedelta(seconds=4))
    assert deliveries() == ["payment_intent.amount_capturable_updated"]


# --- money ----------------------------------------------------------------------------------------


def test_a_refund_may_fail_after_it_was_accepted_and_the_money_can_be_refunded_again(client: StripeClient) -> None:
    intent = paid_with(client, FaultKind.REFUND_FAILS)
    client.v1.payment_intents.capture(intent)
    first = client.v1.refunds.create({"payment_intent": intent})
    assert first.status == "pending"
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded"):
        client.v1.refunds.create({"payment_intent": intent})
    clock.advance(timedelta(seconds=3))
    assert end_what_is_due() == 1
    assert client.v1.refunds.retrieve(first.id).status == "failed"
    assert client.v1.refunds.create({"payment_intent": intent}).status == "succeeded"
    assert "refund.failed" in Event.objects.values_list("type", flat=True)


def test_a_refund_may_take_its_time(client: StripeClient) -> None:
    intent = paid_with(client, FaultKind.REFUND_PENDING)
    client.v1.payment_intents.capture(intent)
    refund = client.v1.refunds.create({"payment_intent": intent})
    assert refund.status == "pending"
    clock.advance(timedelta(minutes=1))
    end_what_is_due()
    assert client.v1.refunds.retrieve(refund.id).status == "succeeded"


def test_held_money_may_go_back_early(client: StripeClient) -> None:
    intent = paid_with(client, FaultKind.LAPSES)
    clock.advance(timedelta(minutes=1))
    with pytest.raises(stripe.InvalidRequestError) as error:
        client.v1.payment_intents.capture(intent)
    assert error.value.code == "charge_expired_for_capture"
    end_what_is_due()
    assert client.v1.payment_intents.retrieve(intent).status == "canceled"


@pytest.mark.parametrize(("word", "status"), [("yes", 303), ("no", 402)])
def test_the_bank_asks_the_cards_holder(client: StripeClient, word: str, status: int) -> None:
    session = client.v1.checkout.sessions.create(shoes())
    assert session.url
    asked = pay(session, BANK_ASKS)
    assert (asked.status_code, "Your bank asks" in asked.text) == (200, True)
    assert "Your bank asks" in httpx.get(session.url).text, "a page that is loaded again asks again"
    answered = httpx.post(session.url, data={"bank": word})
    assert answered.status_code == status
    assert ("not confirmed with the bank" in answered.text) == (word == "no")
    if word == "no":
        assert pay(session).status_code == 303, "another card may be tried"
    else:
        assert httpx.post(session.url, data={"bank": word}).status_code == 303, "a second click pays nothing more"
    assert len(client.v1.payment_intents.list().data) == 1


def test_a_page_that_expires_while_the_bank_asks_takes_no_money(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(shoes())
    assert session.url
    pay(session, BANK_ASKS)
    client.v1.checkout.sessions.expire(session.id)
    assert httpx.post(session.url, data={"bank": "yes"}).status_code == 410
    assert [intent.status for intent in client.v1.payment_intents.list().data] == ["canceled"]


# --- the command and the control page -------------------------------------------------------------


def paylab(*words: str) -> str:
    out = io.StringIO()
    call_command("paylab", *words, stdout=out)
    return out.getvalue()


def test_the_command_sets_shows_and_clears(client: StripeClient) -> None:
    assert "error_after at capture_intent, rate 0.5, 3 times more" in paylab(
        "fault", "error_after", "--rate", "0.5", "--times", "3", "--action", "capture_intent", "--seed", "4"
    )
    before = clock.now()
    paylab("clock", "70")
    assert timedelta(minutes=70) <= clock.now() - before < timedelta(minutes=71)
    session = client.v1.checkout.sessions.create(shoes(expires_at=None))
    paylab("fault", "webhook_lost", "--session", session.id)
    assert Fault.objects.filter(session__ref=session.id).count() == 1
    paylab("clear")
    assert not Fault.objects.exists()
    assert clock.now() - before < timedelta(minutes=1)
    for words in (["fault", "slow", "--rate", "2"], ["fault", "slow", "--session", "cs_none"], ["fault", "flood"]):
        with pytest.raises(CommandError):
            paylab(*words)


def test_the_control_page_is_for_who_has_the_key(base: str, settings: Any) -> None:
    url = f"{base}/paylab/"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=("wrong", "")).status_code == 401
    key = (settings.PAYLAB_API_KEY, "")
    with httpx.Client(auth=key, follow_redirects=True) as browser:
        assert "works as it should" in browser.get(url).text
        form = {"act": "fault", "kind": "webhook_lost", "rate": "0.2", "seed": "1"}
        assert browser.post(url, data=form).status_code == 403, "no CSRF token"
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        assert "An event is never delivered." in browser.post(url, data=form).text
        refused = browser.post(url, data=form | {"rate": "7"})
        assert (refused.status_code, Fault.objects.count()) == (422, 1)
        token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert browser.post(url, data=token | {"act": "clock", "minutes": "5"}).status_code == 200
        assert "works as it should" in browser.post(url, data=token | {"act": "clear"}).text


def test_the_ordinary_card_meets_no_fault_of_another_session(client: StripeClient) -> None:
    paid_with(client, FaultKind.WEBHOOK_LOST)
    session = client.v1.checkout.sessions.create(shoes())
    pay(session, VISA)
    assert len(deliveries()) == 2
