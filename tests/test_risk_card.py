"""The card is known once it was paid with, and the score looks again before anybody reviews the order."""

import pytest
from django.db import connection

from orders.models import ClaimSignals
from orders.risk import score
from orders.states import State
from tests.life import a_claim, fresh, open_drop, pay, place, settle

pytestmark = pytest.mark.usefixtures("strangers")


def bought(count):
    drop = open_drop({"9": count})
    orders = [place(drop, a_claim(line1=f"{17 * n + 1} Elm Street", postcode=f"1{n}345")) for n in range(count)]
    settle()
    for order in reversed(orders):
        pay(order)
        settle()
    return [fresh(order) for order in orders]


def test_customers_with_one_card_are_scored_again_before_their_review(settings):
    settings.RISK_COUNTS_CARDS = True
    orders = bought(8)
    assert {order.state for order in orders} == {State.AWAITING_APPROVAL}
    assert len(set(ClaimSignals.objects.values_list("card_key", flat=True))) == 1
    for order in orders:
        assert order.evidence.features["card_sale"] == 8
        assert order.evidence.reasons[0]["text"].endswith("customers with one card")


def test_test_cards_are_everybodys():
    orders = bought(3)
    assert {order.evidence.features["card_sale"] for order in orders} == {None}


def test_a_query_that_fails_while_the_payment_is_recorded_stops_no_order(settings, monkeypatch):
    settings.RISK_COUNTS_CARDS = True
    drop = open_drop({"9": 2})
    orders = [place(drop, a_claim()) for _ in range(2)]
    settle()

    def broken(*_):
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")

    monkeypatch.setattr(score, "features_of", broken)
    for order in orders:
        pay(order)
        settle()
    assert {fresh(order).state for order in orders} == {State.AWAITING_APPROVAL}
    assert "ProgrammingError" in orders[1].events.get(what="scored again").cause
