"""One operator among ordinary customers: every order of theirs stands out in the end, the first ones included."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from orders import clock, workflow
from orders.engine import run_due
from orders.models import Order
from orders.risk.rules import MEDIUM
from orders.states import Step
from tests.life import open_drop, place
from tests.sales import OPERATORS, invented_sale

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def time_is_put_right() -> Iterator[None]:
    yield
    clock.offset = timedelta(0)


def run_sale(seed: int, operator: str, *, lag: int = 1) -> tuple[list[Order], list[Order]]:
    """Claim and score a whole sale through the workflow; the worker wakes up after every `lag` claims.

    Returns the ordinary orders and the operator's, in the order of their claims.
    """
    drop = open_drop({"9": 300})
    theirs: set[int] = set()
    entries = invented_sale(seed, operator)
    for count, entry in enumerate(entries, start=1):
        clock.offset = timedelta(seconds=entry.at)
        order = place(drop, entry.claim, signals=entry.signals)
        if entry.operator:
            theirs.add(order.number)
        if count % lag == 0:
            score_all()
    score_all()
    orders = list(Order.objects.filter(drop=drop).order_by("number"))
    assert len(orders) == len(entries)
    return [o for o in orders if o.number not in theirs], [o for o in orders if o.number in theirs]


def score_all() -> None:
    """One bell keeps a worker for a second only; the next one rings until nothing is left."""
    while run_due([Step.SCORE_RISK], workflow.undo_order):
        pass


def scores(orders: list[Order]) -> list[int]:
    found = [order.score for order in orders if order.score is not None]
    assert len(found) == len(orders), "every order has a score"
    return found


def percentile_95(found: list[int]) -> int:
    """Nearest rank: 95 of 100 are at or below it."""
    return sorted(found)[-(-len(found) * 95 // 100) - 1]


SALES = [*((operator, seed) for seed, operator in enumerate(OPERATORS, start=1)), ("mixed", 20), ("mixed", 21)]


@pytest.mark.parametrize(("operator", "seed"), SALES)
def test_all_fifty_orders_of_an_operator_stand_above_the_ordinary_95th_percentile(operator: str, seed: int) -> None:
    people, theirs = run_sale(seed, operator)
    assert len(theirs) == 50
    assert min(scores(theirs)) > percentile_95(scores(people))
    assert max(scores(people)) < MEDIUM, "no ordinary customer is suspected"


def test_they_stand_out_too_when_the_workers_lag_behind_the_claims() -> None:
    people, theirs = run_sale(30, "mixed", lag=60)
    assert min(scores(theirs)) > percentile_95(scores(people))


def test_the_first_order_of_an_operator_is_scored_again_when_its_siblings_come() -> None:
    _, theirs = run_sale(31, "one_address")
    first = theirs[0]
    assert first.events.get(what="scored").data["score"] < 10
    assert first.score is not None
    assert first.score >= MEDIUM
    assert [told.data["score"] for told in first.events.filter(what="scored again").order_by("pk")][-1] == first.score
    assert first.evidence.reasons[0]["text"] == "50 customers at one address, in any spelling"
