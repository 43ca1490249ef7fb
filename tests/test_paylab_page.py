"""The hosted page, as a customer's browser meets it."""

from typing import Any

import httpx
import pytest
from django.core.checks import Error
from stripe import StripeClient

from orders.payments.paylab.cards import CARDS, passes_luhn
from orders.payments.paylab.checks import paylab_only_in_the_demo
from orders.payments.paylab.page import money
from tests.paylab import DECLINED, POOR, VISA, base, client, pay, shoes

__all__ = ["base", "client"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(client: StripeClient) -> Any:
    return client.v1.checkout.sessions.create(shoes(client_reference_id="17", customer_email="ada@example.com"))


def test_it_tells_what_is_to_be_paid_for_what_and_until_when(session: Any) -> None:
    answer = httpx.get(session.url)
    assert answer.status_code == 200
    for words in ("Pay $299.00", "Shoes", "17", "UTC", "https://shop.example/back", "taken only when the shop accepts"):
        assert words in answer.text
    for card in CARDS.values():
        assert card.grouped in answer.text
        assert card.does in answer.text
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]
    assert not answer.cookies


def test_a_good_card_is_authorised_and_the_customer_sent_back(session: Any) -> None:
    answer = pay(session, "4242 4242-4242 4242")
    assert (answer.status_code, answer.headers["Location"]) == (303, "https://shop.example/thanks")


@pytest.mark.parametrize(("card", "words"), [(DECLINED, "declined this card"), (POOR, "not enough money")])
def test_a_declined_card_can_be_followed_by_another_in_the_same_session(session: Any, card: str, words: str) -> None:
    answer = pay(session, card)
    assert answer.status_code == 402
    assert words in answer.text
    assert "another card" in answer.text
    assert pay(session, VISA).status_code == 303


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("", "type a card number"),
        ("4242", "12 to 19 digits"),
        ("\N{FULLWIDTH DIGIT FOUR}" * 16, "12 to 19 digits"),
        ("my card", "12 to 19 digits"),
        ("4242424242424241", "typing mistake"),
        ("4111111111111111", "only the test cards"),
        ("\x00", "12 to 19 digits"),
    ],
)
def test_a_number_that_is_no_test_card_is_explained_and_not_tried(
    client: StripeClient, session: Any, card: str, words: str
) -> None:
    answer = pay(session, card)
    assert answer.status_code == 402
    assert words in answer.text
    assert f'value="{card}"' not in answer.text
    assert client.v1.payment_intents.list().data == []


def test_a_second_click_is_sent_on_and_pays_nothing_more(client: StripeClient, session: Any) -> None:
    pay(session)
    assert pay(session).status_code == 303
    assert len(client.v1.payment_intents.list().data) == 1


def test_the_page_of_a_paid_session_says_where_the_money_is(client: StripeClient, session: Any) -> None:
    pay(session)
    assert "held on your card" in httpx.get(session.url).text
    [intent] = client.v1.payment_intents.list().data
    client.v1.payment_intents.cancel(intent.id)
    assert "nothing was taken" in httpx.get(session.url).text


def test_an_expired_page_says_what_happened(client: StripeClient, session: Any) -> None:
    client.v1.checkout.sessions.expire(session.id)
    for answer in (httpx.get(session.url), pay(session)):
        assert answer.status_code == 410
        assert "Nothing was charged" in answer.text
        assert "https://shop.example/back" in answer.text
        assert 'name="card"' not in answer.text


def test_a_page_that_never_was_is_not_found(base: str) -> None:
    for ref in ("cs_test_nothing", "%00", "<script>"):
        assert httpx.get(f"{base}/paylab/pay/{ref}").status_code == 404
        assert httpx.post(f"{base}/paylab/pay/{ref}", data={"card": VISA}).status_code == 404


def test_the_form_may_lead_back_to_the_shop_and_nowhere_else(client: StripeClient) -> None:
    page = shoes(success_url="http://shop.example:8080/thanks?a=1;script-src%20*")
    policy = httpx.get(client.v1.checkout.sessions.create(page).url or "").headers["Content-Security-Policy"] + ";"
    assert "form-action 'self' http://shop.example:8080;" in policy  # in any order
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_what_strangers_write_is_text(client: StripeClient) -> None:
    line = {"currency": "usd", "unit_amount": 100, "product_data": {"name": "<script>alert(1)</script>"}}
    session = client.v1.checkout.sessions.create(shoes(line_items=[{"price_data": line, "quantity": 1}]))
    assert "<script>alert" not in httpx.get(session.url or "").text


def test_a_page_without_a_way_back_shows_none(client: StripeClient) -> None:
    session = client.v1.checkout.sessions.create(shoes(cancel_url=""))
    assert "Go back" not in httpx.get(session.url or "").text


def test_amounts_are_written_as_their_currency_writes_them() -> None:
    assert [money(129900, "usd"), money(500, "jpy"), money(5, "eur"), money(1000, "sek")] == [
        "$1,299.00",
        "500 JPY",
        "€0.05",
        "10.00 SEK",
    ]


def test_every_test_card_passes_the_check_digit() -> None:
    assert all(passes_luhn(number) for number in CARDS)


def test_paylab_refuses_to_stand_where_real_money_is_expected(settings: Any) -> None:
    assert paylab_only_in_the_demo(None) == []
    settings.PAYMENT_PROVIDER = "stripe"
    settings.DEMO = False
    problems = paylab_only_in_the_demo(None)
    assert [(type(problem), problem.id) for problem in problems] == [(Error, "paylab.E001"), (Error, "paylab.E002")]
