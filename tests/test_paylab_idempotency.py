"""A POST that is sent again, knowingly or at the same instant, has one effect and one answer."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import stripe
from stripe import StripeClient

from orders import clock
from orders.payments.paylab.courier import tidy
from orders.payments.paylab.models import IdempotencyKey
from tests.paylab import at_once, base, client, held, shoes

__all__ = ["base", "client"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


def test_the_same_key_and_parameters_get_the_same_answer(client: StripeClient) -> None:
    page = shoes()
    first = client.v1.checkout.sessions.create(page, {"idempotency_key": "7:page"})
    again = client.v1.checkout.sessions.create(page, {"idempotency_key": "7:page"})
    assert first.to_dict() == again.to_dict()
    assert again.last_response
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(client.v1.checkout.sessions.list().data) == 1


def test_the_same_key_with_other_parameters_is_refused(client: StripeClient) -> None:
    client.v1.checkout.sessions.create(shoes(), {"idempotency_key": "7:page"})
    with pytest.raises(stripe.IdempotencyError) as refusal:
        client.v1.checkout.sessions.create(shoes(100), {"idempotency_key": "7:page"})
    assert refusal.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.capture(held(client), {}, {"idempotency_key": "7:page"})
    assert len(client.v1.checkout.sessions.list().data) == 2  # the second is the held one's


def test_eight_calls_at_the_same_instant_have_one_effect(client: StripeClient) -> None:
    page, answers = shoes(), set()

    def call() -> None:
        answers.add(client.v1.checkout.sessions.create(page, {"idempotency_key": "7:page"}).id)

    at_once(*[call] * 8)
    assert len(answers) == len(client.v1.checkout.sessions.list().data) == 1


def test_refunds_at_the_same_instant_pay_back_once(client: StripeClient) -> None:
    intent = held(client)
    client.v1.payment_intents.capture(intent)
    refunds = set()

    def call() -> None:
        made = client.v1.refunds.create({"payment_intent": intent, "amount": 10000}, {"idempotency_key": "7:refund"})
        refunds.add(made.id)

    at_once(*[call] * 6)
    assert len(refunds) == len(client.v1.refunds.list({"payment_intent": intent}).data) == 1


def test_a_refusal_by_the_state_is_remembered_like_any_answer(client: StripeClient) -> None:
    intent = held(client)
    client.v1.payment_intents.cancel(intent)
    answers = []
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            client.v1.payment_intents.capture(intent, {}, {"idempotency_key": "7:capture"})
        answers.append(refusal.value.headers)
    assert [bool(headers and "Idempotent-Replayed" in headers) for headers in answers] == [False, True]


def test_a_key_may_be_used_again_after_wrong_parameters(client: StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.create(shoes(0), {"idempotency_key": "7:page"})
    assert client.v1.checkout.sessions.create(shoes(), {"idempotency_key": "7:page"}).status == "open"


def test_a_key_is_forgotten_after_a_day(client: StripeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.v1.checkout.sessions.create(shoes(), {"idempotency_key": "old"})
    monkeypatch.setattr(clock, "offset", timedelta(hours=12))
    client.v1.checkout.sessions.create(shoes(expires_at=4_000_000_000), {"idempotency_key": "young"})
    monkeypatch.setattr(clock, "offset", timedelta(hours=24, seconds=1))
    tidy()
    assert [entry.key for entry in IdempotencyKey.objects.all()] == ["young"]


def test_an_overlong_key_is_refused(base: str, settings: Any) -> None:
    answer = httpx.post(
        f"{base}/paylab/v1/refunds", auth=(settings.PAYLAB_API_KEY, ""), headers={"Idempotency-Key": "k" * 256}
    )
    assert answer.status_code == 400
