"""Drift: nothing moved is nothing, what moved shows, and few orders do not cry wolf."""

import random

import pytest

from orders.risk.drift import SHIFTED, Drift, distribution, drift_of, merged, psi
from orders.risk.model import TableModel, Term, load
from orders.risk.registry import SHIPPED

# Bins: missing, below 1, below 2, below 3, from 3 on.
TERM = Term(cuts=(1.0, 2.0, 3.0), scores=(0.0,) * 5, shares=(0.1, 0.4, 0.3, 0.15, 0.05))
MODEL = TableModel("test", 0.0, {"phones": TERM})
SAMPLES = (None, 0.5, 1.5, 2.5, 9.0)


def orders(*counts: int) -> list[dict[str, float | None]]:
    """As many in each bin."""
    return [{"phones": value} for value, count in zip(SAMPLES, counts, strict=True) for _ in range(count)]


def test_the_same_shares_do_not_differ():
    assert psi([0.2, 0.5, 0.3], [0.2, 0.5, 0.3]) == 0


def test_a_known_value():
    """(0.5 - 0.25) ln 2 + (0.5 - 0.75) ln (2/3)"""
    assert psi([0.5, 0.5], [0.25, 0.75]) == pytest.approx(0.27465, abs=1e-5)


def test_it_reads_the_same_both_ways():
    assert psi([0.1, 0.9], [0.6, 0.4]) == pytest.approx(psi([0.6, 0.4], [0.1, 0.9]))


def test_an_empty_bin_is_large_and_finite():
    assert 1 < psi([0.0, 1.0], [0.2, 0.8]) < 5
    assert psi([0.0, 1.0], [0.0, 1.0]) == 0


def test_orders_like_the_rows_learned_from_are_alike():
    (drift,) = drift_of(MODEL, orders(100, 400, 300, 150, 50))
    assert drift.psi == pytest.approx(0)
    assert drift.verdict == "alike"


def test_orders_of_another_population_are_shifted():
    (drift,) = drift_of(MODEL, orders(100, 50, 150, 300, 400))
    assert drift.psi > 1
    assert drift.verdict == "shifted"


def test_a_feature_that_nobody_has_any_more_is_shifted():
    assert drift_of(MODEL, [{} for _ in range(300)])[0].verdict == "shifted"


def sales(orders: int) -> list[Drift]:
    """A hundred sales to the very population that was learned from."""
    dice = random.Random(7)
    return [
        drift_of(MODEL, [{"phones": dice.choices(SAMPLES, TERM.shares)[0]} for _ in range(orders)])[0]
        for _ in range(100)
    ]


def test_of_few_orders_nothing_is_said():
    """Twenty orders alone make a PSI that the textbook calls another population, every fourth time."""
    drifts = sales(20)
    assert sum(drift.psi >= SHIFTED for drift in drifts) > 20
    assert {drift.verdict for drift in drifts} == {"too few orders"}


def test_what_chance_makes_is_no_shift():
    drifts = sales(60)
    assert sum(drift.psi for drift in drifts) / 100 == pytest.approx(drifts[0].chance, rel=0.5)
    assert sum(drift.verdict == "shifted" for drift in drifts) <= 1


def test_the_most_shifted_comes_first_and_no_orders_have_no_drift():
    model = TableModel("test", 0.0, {"calm": TERM, "moved": TERM})
    seen = [{"calm": row["phones"], "moved": 9.0} for row in orders(100, 400, 300, 150, 50)]
    assert [drift.feature for drift in drift_of(model, seen)] == ["moved", "calm"]
    assert drift_of(model, []) == []


def test_bins_are_taken_together_and_none_is_lost():
    for term in load(SHIPPED).terms.values():
        parts = merged(term.shares)
        assert [n for part in parts for n in part] == [*range(len(term.shares))]
        assert parts[0] == range(1)
        assert len(parts) <= 12


def test_scores_fall_into_ten_columns():
    assert distribution({0: 1, 9: 2, 10: 4, 99: 8}) == [3, 4, 0, 0, 0, 0, 0, 0, 0, 8]
