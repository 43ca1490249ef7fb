"""Attack A6, played: a reviewer approves the linked orders of a friend, and every such approval is flagged."""

import time

import pytest
from django.contrib.auth.models import User

from fulfillment.dashboard.insiders import fisher, watch
from fulfillment.decisions import decide_review
from fulfillment.groups import OPS
from orders.models import Drop, Order
from orders.risk import links
from tests.life import open_drop
from tests.reviews import a_reviewer, a_user, browser, in_review

pytestmark = pytest.mark.django_db


def one_operator(drop: Drop, phone: str, orders: int, *, score: int = 60) -> list[Order]:
    """Orders of many customers with one phone; unsuspicious by the score."""
    return [in_review(drop, score=score, phone=phone, line1=f"{phone[-2:]}{n} Oak Avenue") for n in range(orders)]


def strangers(drop: Drop, orders: int) -> list[Order]:
    return [in_review(drop, score=20, line1=f"{n} Elm Court") for n in range(orders)]


def decide(reviewer: User, verdict: str, *orders: Order, reason: str = "") -> None:
    for order in orders:
        decide_review(
            public_id=order.public_id,
            reviewer=reviewer,
            verdict=verdict,
            reason=reason or ("looks_genuine" if verdict == "approve" else "suspected_reseller"),
            note="I looked.",
        )


def flagged(drop: Drop) -> dict[int, str]:
    """Who is said to have approved what."""
    links.rebuild()
    return {flag.word.order: flag.word.reviewer for flag in watch(drop).flags}


def test_an_insider_is_flagged_with_every_order_and_the_honest_are_not():
    drop = open_drop({"9": 40})
    rita, rob, ivan = (a_reviewer(name) for name in ("rita", "rob", "ivan"))
    friend = one_operator(drop, "+1 555 0000 011", 6)
    others = [one_operator(drop, f"+1 555 0000 0{n}", 3) for n in (22, 33, 44)]
    couple = one_operator(drop, "+1 555 0000 055", 2, score=20)
    genuine = strangers(drop, 6)
    decide(ivan, "approve", *friend)
    decide(rita, "reject", *others[0])
    decide(rob, "reject", *others[1], *others[2][:2])
    decide(ivan, "reject", others[2][2])
    decide(rita, "approve", *couple, *genuine[:2])
    decide(rob, "approve", *genuine[2:4])
    decide(ivan, "approve", *genuine[4:])
    assert flagged(drop) == {order.number: "ivan" for order in friend}
    found = watch(drop)
    assert found.grave == found.flags
    assert found.standing_out == ["ivan"]
    ivans = found.comparisons[0]
    assert (ivans.approved, ivans.decided, ivans.others_approved, ivans.others_decided) == (6, 7, 0, 8)
    ops = browser(a_user("ops", group=OPS))
    for address in ("/admin/dashboard/", "/admin/dashboard/insiders/"):
        page = ops.get(address).text
        assert f'<a href="/admin/orders/order/{friend[-1].number}/change/">' in page
        assert "ivan approved 6 orders of 6 customers joined by a phone" in page
    assert "ivan approves linked orders more often" in ops.get("/admin/dashboard/").text
    told = ops.get("/admin/dashboard/?format=json").json()["insiders"]
    assert told["standingOut"] == ["ivan"]
    assert {flag["number"] for flag in told["flagged"]} == {order.number for order in friend}


def test_an_insider_who_takes_only_what_colleagues_would_reject_is_flagged():
    drop = open_drop({"9": 9})
    rita, ivan = a_reviewer("rita"), a_reviewer("ivan")
    first, second, third = one_operator(drop, "+1 555 0000 011", 3)
    decide(ivan, "approve", first)
    assert flagged(drop) == {}  # one pair for one of three: nothing yet
    decide(rita, "reject", second, third)
    assert flagged(drop) == {first.number: "ivan"}


def test_an_insider_who_leaves_some_to_time_is_flagged():
    drop = open_drop({"9": 9})
    ivan = a_reviewer("ivan")
    orders = one_operator(drop, "+1 555 0000 011", 4)
    decide(ivan, "approve", *orders[:2])
    assert flagged(drop) == {order.number: "ivan" for order in orders[:2]}


def test_one_approval_of_a_large_group_or_of_a_high_score_is_flagged():
    drop = open_drop({"9": 9})
    ivan = a_reviewer("ivan")
    large, high = one_operator(drop, "+1 555 0000 011", 5), one_operator(drop, "+1 555 0000 022", 2, score=90)
    decide(ivan, "approve", large[0], high[0])
    assert set(flagged(drop)) == {large[0].number, high[0].number}
    assert ("ivan approved 1 order of 5 customers joined by a phone, a card, a browser or a mailbox",) in [
        flag.why for flag in watch(drop).flags
    ]


def test_a_first_approval_of_two_is_flagged_as_well(settings):
    settings.FOUR_EYES_SCORE = 75
    drop = open_drop({"9": 9})
    orders = one_operator(drop, "+1 555 0000 011", 3, score=90)
    decide(a_reviewer("ivan"), "approve", *orders)
    assert set(flagged(drop)) == {order.number for order in orders}


def test_a_second_reviewer_who_rejects_the_order_itself_is_against_nobody(settings):
    settings.FOUR_EYES_SCORE = 65
    drop = open_drop({"9": 9})
    order, sibling = one_operator(drop, "+1 555 0000 011", 2, score=70)
    decide(a_reviewer("rita"), "approve", order)
    decide(a_reviewer("rob"), "reject", order)
    assert flagged(drop) == {}
    decide(User.objects.get(username="rob"), "reject", sibling)
    assert flagged(drop) == {order.number: "rita"}


def test_orders_of_the_last_drop_are_in_the_group():
    before = open_drop({"9": 3})
    bought = one_operator(before, "+1 555 0000 011", 2)
    decide(a_reviewer("rita"), "reject", *bought)
    drop = open_drop({"9": 3})
    order = in_review(drop, score=60, phone="+1 555 0000 011", line1="7 Pine Road")
    decide(a_reviewer("ivan"), "approve", order)
    assert flagged(drop) == {order.number: "ivan"}


def test_a_rejection_for_the_address_speaks_against_nobody():
    drop = open_drop({"9": 3})
    first, second = one_operator(drop, "+1 555 0000 011", 2)
    decide(a_reviewer("rita"), "reject", first, reason="address_problem")
    decide(a_reviewer("ivan"), "approve", second)
    assert flagged(drop) == {}


def test_whoever_rejects_one_and_approves_another_is_not_against_a_colleague():
    drop = open_drop({"9": 3})
    first, second, _ = one_operator(drop, "+1 555 0000 011", 3)
    rita = a_reviewer("rita")
    decide(rita, "reject", first)
    decide(rita, "approve", second)
    assert flagged(drop) == {}


def test_a_hall_that_shares_an_address_is_a_minor_flag():
    drop = open_drop({"9": 9})
    hall = [in_review(drop, score=20, line1="5 College Road") for _ in range(5)]
    decide(a_reviewer("rita"), "approve", *hall)
    assert set(flagged(drop)) == {order.number for order in hall}
    assert watch(drop).grave == []
    page = browser(a_user("ops", group=OPS)).get("/admin/dashboard/").text
    assert "No approval of linked orders to look at today." in page


@pytest.mark.parametrize(
    ("table", "p"),
    [
        ((3, 4, 1, 4), 34 / 70),  # Fisher's lady and her tea
        ((6, 7, 0, 8), 7 / 5005),
        ((5, 10, 5, 10), 1.0),
        ((0, 5, 0, 9), 1.0),
        ((1, 10, 11, 12), 0.000289184),
    ],
)
def test_the_exact_test(table, p):
    assert fisher(*table) == pytest.approx(p, rel=1e-4)


def test_the_exact_test_of_thousands_of_decisions_is_soon_done():
    begun = time.process_time()
    assert fisher(500, 1000, 4000, 9000) == pytest.approx(0.000903977, rel=1e-4)
    assert time.process_time() - begun < 0.25
