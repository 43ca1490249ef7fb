"""What people decided becomes labels, with care for what they could not know."""

import numpy as np
import pytest

from orders import workflow
from orders.models import Evidence, Order
from orders.risk.features import VERSION
from orders.risk.training.decided import EXPLORED, SEEN, decided
from orders.risk.training.table import BadTable, Table
from orders.states import Outcome
from tests.life import open_drop
from tests.reviews import in_review

pytestmark = pytest.mark.django_db


def decide(order, *, yes, reason):
    seen = {"features": {"phone_sale": float(order.number), "claim_rank": 1.0}, "model": f"rules/{VERSION}"}
    Evidence.objects.update_or_create(order=order, defaults=seen)
    say = workflow.approve_order if yes else workflow.reject_order
    say(number=order.number, reviewer="rita", reason=reason, note="")


def test_only_a_reason_that_speaks_of_the_person_is_a_label():
    drop = open_drop({"9": 9})
    said = [
        (True, "looks_genuine"), (False, "suspected_bot"), (False, "address_problem"), (False, "customer_request"),
        (True, "other"), (False, "duplicate_customer"),
    ]  # fmt: skip
    orders = [in_review(drop) for _ in said]
    for order, (yes, reason) in zip(orders, said, strict=True):
        decide(order, yes=yes, reason=reason)
    labels = decided()
    assert list(labels.labels) == [0, 1, 1]
    assert labels.names == ["phone_sale"]
    assert list(labels.values[:, 0]) == [orders[n].number for n in (0, 1, 5)]


def test_a_decision_without_the_score_in_sight_counts_more():
    drop = open_drop({"9": 2})
    seen, explored = in_review(drop), in_review(drop)
    decide(seen, yes=True, reason="looks_genuine")
    decide(explored, yes=False, reason="suspected_bot")
    Evidence.objects.filter(order=explored).update(explored=True)
    assert list(decided().weighed()) == [SEEN, EXPLORED]


def test_a_vector_that_means_something_else_or_lacks_something_is_not_learned_from():
    drop = open_drop({"9": 3})
    orders = [in_review(drop) for _ in range(3)]
    for order in orders:
        decide(order, yes=False, reason="suspected_bot")
    Evidence.objects.filter(order=orders[0]).update(model=f"rules/{VERSION - 1}")
    Order.objects.filter(pk=orders[1].pk).update(score_degraded=True)
    assert list(decided().values[:, 0]) == [orders[2].number]


def test_nobody_decided_is_an_error_that_says_so():
    in_review(open_drop({"9": 1}))
    with pytest.raises(BadTable, match="nobody has decided"):
        decided()


def test_a_review_that_timed_out_is_no_label():
    order = in_review(open_drop({"9": 1}))
    Order.objects.filter(pk=order.pk).update(state="compensating", outcome=Outcome.APPROVAL_TIMEOUT)
    with pytest.raises(BadTable):
        decided()


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.3, 200, 400), (1.0, 1000, 1000)])
def test_a_share_of_the_orders_is_explored_by_their_own_random_id(settings, share, least, most):
    settings.RISK_EXPLORATION = share
    orders = [Order() for _ in range(1000)]
    assert least <= sum(order.is_explored() for order in orders) <= most
    assert [order.is_explored() for order in orders] == [order.is_explored() for order in orders]


def test_two_tables_are_mixed_so_that_every_part_by_time_has_both():
    many = Table(["a", "b"], np.arange(200.0).reshape(100, 2), np.zeros(100, int), ["sale"] * 100)
    few = Table(["b", "c"], np.arange(20.0).reshape(10, 2), np.ones(10, int), ["decided"] * 10, np.full(10, 5.0))
    both = many.mixed_with(few)
    first, last = both.split(0.3)
    assert (int(first.labels.sum()), int(last.labels.sum())) == (7, 3)
    row = both.groups.index("decided")
    assert np.isnan(both.values[row, 0])
    assert list(both.values[row, 1:]) == [0.0, 1.0]
    assert both.weighed().sum() == 100 + 50
