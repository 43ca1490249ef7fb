"""The rules behind the score: how they add up, and what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.risk.rules import BASE, HIGH, MEDIUM, RULES, WeightedRules
from orders.risk.score import assess, level_of
from orders.states import Level

NETWORK_RULES = ("ip_1m", "ip_10m", "ip_sale", "net_10s", "net_10m", "net_sale", "attempts_10m")
COUNTS = [*NETWORK_RULES, "address_sale", "phone_sale", "email_domain", "email_orders"]
COUNTS.remove("net_sale")  # rises to where a network is a proxy in front of the shop
FEATURES = st.dictionaries(st.sampled_from(sorted(RULES)), st.none() | st.floats(0, 1000), min_size=0)


@given(FEATURES)
def test_the_contributions_add_up_to_the_logit(features: dict[str, float | None]) -> None:
    assessment = WeightedRules().assess(features)
    assert sum(assessment.contributions.values()) == pytest.approx(assessment.logit)
    assert assessment.contributions["base"] == BASE


@given(FEATURES, st.sampled_from(COUNTS), st.floats(1, 1000), st.floats(0, 1000))
def test_more_of_a_count_never_lowers_the_score(
    features: dict[str, float | None], name: str, count: float, more: float
) -> None:
    fewer = assess({**features, name: count})
    assert assess({**features, name: count + more}).score >= fewer.score


@given(FEATURES)
def test_a_score_is_0_to_99_and_always_the_same(features: dict[str, float | None]) -> None:
    one = assess(features)
    assert 0 <= one.score <= 99
    assert one.level == level_of(one.score)
    assert one == assess(features)


@pytest.mark.parametrize(
    ("score", "level"),
    [(0, Level.LOW), (64, Level.LOW), (65, Level.MEDIUM), (74, Level.MEDIUM), (75, Level.HIGH), (99, Level.HIGH)],
)
def test_levels_begin_at_65_and_75(score: int, level: Level) -> None:
    assert level_of(score) == level


def test_a_shared_network_alone_is_never_suspicious_however_many_share_it() -> None:
    """Halls, offices and carriers put hundreds of people behind one address."""
    assert assess(dict.fromkeys(NETWORK_RULES, 1000.0)).level == Level.LOW


def test_whoever_lives_in_a_house_of_flats_or_works_in_an_office_is_not_suspicious() -> None:
    """Nor where a proxy in front of the shop shows hundreds of customers at its one address."""
    flats = {"address_sale": 14.0, "link_size": 14.0, "page_to_submit": 12.0}
    work = {"address_sale": 8.0, "email_domain": 14.0, "domain_1h": 14.0, "link_size": 14.0}
    assert assess({**flats}).level == Level.LOW
    assert assess({**work, **dict.fromkeys(NETWORK_RULES, 14.0)}).level == Level.LOW
    assert assess({**flats, **dict.fromkeys(NETWORK_RULES, 1000.0)}).level == Level.LOW


def test_a_shared_network_and_something_beside_it_is() -> None:
    crowd = dict.fromkeys(NETWORK_RULES, 50.0)
    assert assess({**crowd, "page_to_submit": 1.5, "email_disposable": 1.0}).score >= HIGH
    assert assess({"page_to_submit": 1.5, "email_disposable": 1.0}).score < MEDIUM


def test_a_household_of_three_is_fine() -> None:
    shared = {
        "ip_10m": 3.0,
        "ip_sale": 3.0,
        "net_sale": 3.0,
        "address_sale": 3.0,
        "phone_sale": 3.0,
        "email_domain": 3.0,
    }
    assert assess({**shared, "page_to_submit": 5.0}).score < 35


def test_a_missing_feature_counts_for_nothing() -> None:
    assert assess(dict.fromkeys(RULES)).score == assess({}).score == 2


def test_reasons_are_the_three_strongest_in_plain_words() -> None:
    score = assess({"net_10m": 7.0, "page_to_submit": 2.0, "email_disposable": 1.0, "net_sale": 6.0, "phone_sale": 1.0})
    assert [reason["feature"] for reason in score.reasons] == ["page_to_submit", "email_disposable", "net_sale"]
    assert score.reasons[0] == {
        "feature": "page_to_submit",
        "value": 2.0,
        "contribution": 2.0,
        "text": "form sent 2 s after the page was loaded",
    }
    assert "7 customers from one network in 10 minutes" in [WeightedRules().explain("net_10m", 7.0)]


def test_an_unremarkable_order_has_no_reasons() -> None:
    assert assess({"ip_sale": 1.0, "address_sale": 1.0, "page_to_submit": 40.0}).reasons == []
