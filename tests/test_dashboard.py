"""The dashboard: what it counts, when it raises an alarm, who sees what, and what it costs."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fulfillment.dashboard.charts import TOP, columns
from fulfillment.dashboard.drift import scored
from fulfillment.dashboard.figures import money, orders, reviewers, stock
from fulfillment.dashboard.insiders import watch, watch_at
from fulfillment.dashboard.pace import needed_rate, pace
from fulfillment.decisions import decide_review, withdraw
from fulfillment.groups import OPS
from orders import clock
from orders.models import ClaimSignals, Drop, Evidence, Order, Payment, SweepBeat, Work
from orders.risk import links, registry
from orders.states import Outcome, State, Step
from tests.life import open_drop, place, reject
from tests.reviews import a_reviewer, a_user, browser, in_review

pytestmark = pytest.mark.django_db
BOARD, INSIDERS, DRIFT = "/admin/dashboard/", "/admin/dashboard/insiders/", "/admin/dashboard/drift/"


@pytest.fixture(autouse=True)
def time_put_right():
    yield
    clock.offset = timedelta(0)


def decide(order: Order, reviewer: User, verdict: str = "approve", undo: int = 0, note: str = "Seen.") -> None:
    reason = "looks_genuine" if verdict == "approve" else "suspected_bot"
    decide_review(
        public_id=order.public_id, reviewer=reviewer, verdict=verdict, reason=reason, note=note, undo=undo
    )  # fmt: skip


def asked(user: User | None = None) -> Any:
    return browser(user or a_user("ops", group=OPS)).get(f"{BOARD}?format=json").json()


def codes(found: Any) -> list[str]:
    return [alarm["code"] for alarm in found["alarms"]]


def in_minutes(*minutes: float) -> list[timedelta]:
    return [timedelta(minutes=some) for some in minutes]


# --- what it shows ----------------------------------------------------------------------------------------------------


def test_it_works():
    drop = open_drop({"9": 6})
    rita = a_reviewer()
    waiting, approved, rejected = (in_review(drop, score=90) for _ in range(3))
    place(drop)
    decide(approved, rita)
    decide(rejected, rita, "reject")
    SweepBeat.objects.update_or_create(id=1, defaults={"at": clock.now()})
    found = asked(rita)
    assert found["drop"] == {"id": drop.pk, "name": drop.name}
    assert found["stock"] == {"onSale": 2, "held": 4, "sold": 0, "total": 6, "stray": 0}
    assert {state: count for state, count in found["orders"].items() if count} == {
        State.PROCESSING: 1,
        State.AWAITING_APPROVAL: 1,
        State.APPROVED: 1,
        State.COMPENSATING: 1,
    }
    assert found["outcomes"][Outcome.REJECTED] == 1
    assert found["reviews"] == {
        "open": 1,
        "byUrgency": {"urgent": 0, "soon": 0, "calm": 1},
        "oldestSeconds": found["reviews"]["oldestSeconds"],
        "nextDeadline": found["reviews"]["nextDeadline"],
        "neededPerHour": pytest.approx(1 / 24, abs=0.01),
        "madePerHour": 4.0,
        "decidedLastHour": 2,
    }
    assert found["reviewers"] == [{"name": "rita", "approved": 1, "rejected": 1, "agreement": 0.5}]
    assert found["money"] == {"currency": "usd", "held": 3 * 29900, "captured": 0, "refunded": 0}
    assert found["work"][Step.COMPENSATE]["due"] == 1
    assert found["alarms"] == []
    page = browser(rita).get(BOARD).text
    for shown in ("No alarm.", "897.00 USD", "50% of 2", "Why orders were undone"):
        assert shown in page
    assert waiting.public_id.hex not in page.replace("-", "")


def test_without_a_drop_it_says_so():
    ops = a_user("ops", group=OPS)
    assert asked(ops) == {"drop": None}
    for address in (BOARD, INSIDERS, DRIFT):
        assert "There is no drop yet." in browser(ops).get(address).text


def test_a_pair_that_is_not_what_its_order_says_is_an_alarm():
    drop = open_drop()
    order = place(drop)
    drop.pairs.filter(pk=order.pair_id).update(state="sold")
    assert stock(drop).stray == 1
    assert "stock" in codes(asked())


def test_a_compensation_that_fails_and_a_step_that_is_parked_are_alarms():
    drop = open_drop()
    order, other = reject(in_review(drop)), reject(in_review(drop))
    assert not {"compensation_failing", "parked"} & {*codes(asked(a_user("ops", group=OPS)))}
    Work.objects.filter(order=order, step=Step.COMPENSATE).update(attempts=3, last_error="The provider is down.")
    Work.objects.filter(order=other, step=Step.COMPENSATE).update(parked_at=clock.now(), attempts=3)
    found = asked(a_user("ops2", group=OPS))
    assert {"compensation_failing", "parked", "sweep_silent"} <= {*codes(found)}
    assert (found["work"][Step.COMPENSATE]["retrying"], found["work"][Step.COMPENSATE]["parked"]) == (1, 1)


def test_only_the_drop_at_hand_is_counted_and_each_order_once():
    earlier = open_drop(opens_at=clock.now() - timedelta(days=9), closes_at=clock.now() - timedelta(days=8))
    old = open_drop()
    reject(in_review(old))
    Drop.objects.filter(pk=old.pk).update(opens_at=earlier.opens_at, closes_at=earlier.closes_at)
    drop = open_drop()
    in_review(drop)
    assert sum(orders(drop).by_state.values()) == 1
    assert money(drop).held == 29900
    assert asked()["drop"]["id"] == drop.pk


def test_the_next_drop_does_not_hide_the_one_whose_reviews_are_due():
    drop, now = open_drop(), clock.now()
    in_review(drop)
    Drop.objects.filter(pk=drop.pk).update(closes_at=now - timedelta(seconds=1))
    coming = open_drop(opens_at=now + timedelta(days=7), closes_at=now + timedelta(days=8))
    open_drop(opens_at=now - timedelta(days=9), closes_at=now - timedelta(days=8))
    ops = browser(a_user("ops", group=OPS))
    assert [ops.get(address).context["drop"] for address in (BOARD, INSIDERS, DRIFT)] == [drop, drop, drop]
    assert Drop.objects.current() == coming
    Drop.objects.filter(pk=coming.pk).update(opens_at=now - timedelta(minutes=1))
    assert ops.get(BOARD).context["drop"] == coming
    Drop.objects.update(opens_at=now + timedelta(days=1), closes_at=now + timedelta(days=2))
    assert ops.get(BOARD).context["drop"] is not None


def test_a_withdrawn_decision_is_none():
    drop, rita = open_drop(), a_reviewer()
    order = in_review(drop, score=10)
    decide(order, rita, undo=10)
    withdraw(public_id=order.public_id, reviewer=rita)
    assert reviewers(drop) == []
    assert pace(clock.now()).decided == []


def test_a_first_approval_is_a_reviewers_decision_and_settles_no_review(settings):
    settings.FOUR_EYES_SCORE = 75
    drop, rita = open_drop(), a_reviewer()
    decide(in_review(drop, score=90), rita)
    assert [one.approved for one in reviewers(drop)] == [1]
    assert pace(clock.now()).decided == []
    assert len(pace(clock.now()).open) == 1


# --- the rate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lefts", "needed"),
    [
        ([], 0),
        ([60] * 5, 5),
        ([1440] * 500, 500 / 24),
        ([15] * 10 + [1440] * 490, 40),  # the first ten decide
        ([15] + [60] * 20, 21),  # the first one does not
        ([60, 30, 120], 2),
    ],
)
def test_the_rate_that_the_deadlines_need(lefts, needed):
    assert needed_rate(in_minutes(*lefts)) == pytest.approx(needed)


def test_a_sale_that_opens_is_no_alarm():
    drop = open_drop()
    for _ in range(3):
        in_review(drop)
    assert pace(clock.now()).alarm == ""


def test_nobody_deciding_is_an_alarm():
    in_review(open_drop())
    clock.offset = timedelta(minutes=31)
    assert pace(clock.now()).alarm == "idle"
    assert "idle" in codes(asked())
    assert "Nobody has decided for 30 minutes" in browser(a_reviewer()).get(BOARD).text


def test_too_few_decisions_are_an_alarm_until_there_are_enough():
    drop, rita = open_drop({"9": 12}), a_reviewer()
    waiting = [in_review(drop, score=10, time=timedelta(hours=2)) for _ in range(10)]
    clock.offset = timedelta(hours=1)  # ten in an hour
    decide(waiting[0], rita)
    found = pace(clock.now())
    assert (found.made, found.needed) == (2, pytest.approx(9, abs=0.1))
    assert found.alarm == "behind"
    assert "behind" in codes(asked())
    for order in waiting[1:4]:
        decide(order, rita)
    found = pace(clock.now())
    assert (found.made, found.needed) == (8, pytest.approx(6, abs=0.1))
    assert found.alarm == ""


def test_a_short_time_to_decide_raises_the_alarm_at_half_of_it():
    in_review(open_drop(), time=timedelta(minutes=4))
    clock.offset = timedelta(minutes=1)
    assert pace(clock.now()).alarm == ""
    clock.offset = timedelta(minutes=3)
    assert pace(clock.now()).alarm == "idle"


def test_nothing_to_decide_is_no_alarm():
    reject(in_review(open_drop()))
    clock.offset = timedelta(hours=3)
    assert pace(clock.now()).alarm == ""


def test_an_authorisation_that_lapses_sooner_is_the_deadline():
    order = in_review(open_drop())
    order.payment.capture_before = clock.now() + timedelta(hours=1)
    order.payment.save()
    assert pace(clock.now()).needed == pytest.approx(1, abs=0.01)
    order.payment.capture_before = clock.now() - timedelta(seconds=1)
    order.payment.save()
    assert pace(clock.now()).needed == 0


def test_decisions_stand_in_the_hour_in_which_they_were_made():
    drop, rita = open_drop(), a_reviewer()
    decide(in_review(drop, score=10), rita)
    clock.offset = timedelta(hours=5, minutes=30)
    decide(in_review(drop, score=90), rita, "reject")
    hours = pace(clock.now()).by_hour()
    assert hours[-1] == {"approve": 0, "reject": 1}
    assert hours[-6] == {"approve": 1, "reject": 0}
    assert sum(sum(hour.values()) for hour in hours) == 2


def test_a_rate_beyond_all_columns_leaves_them_to_be_seen():
    stacks = [("1 h ago", {"approve": 3}), ("now", {"approve": 4})]

    def drawn(needed: float) -> tuple[float, float]:
        """How high the highest column is, and where the line."""
        chart = columns("x", "x", "x", head=(), stacks=stacks, legend={"approve": "approved"}, needed=needed)
        return max(box.height for box in chart.boxes), chart.lines[-1].y

    assert drawn(5000) == (38, TOP)
    assert drawn(6)[0] == pytest.approx(76 * 4 / 6, abs=0.01)
    assert drawn(6)[1] == TOP
    assert drawn(2) == (76, 46)


# --- who sees what ----------------------------------------------------------------------------------------------------


def test_strangers_see_nothing():
    assert browser().get(BOARD)["Location"].startswith("/admin/login/")
    assert browser().get(f"{BOARD}?format=json").status_code == 403
    for user in (a_user("nobody"), a_user("gone", group=OPS, is_staff=False)):
        for address in (BOARD, INSIDERS, DRIFT):
            assert browser(user).get(address).status_code == 403
    assert browser(a_user("boss", is_superuser=True)).post(BOARD).status_code == 405


def test_reviewers_see_the_sale_and_do_not_watch_themselves():
    open_drop()
    client = browser(a_reviewer())
    page = client.get(BOARD).text
    assert "Money" in page
    assert "Insider watch" not in page
    assert asked(User.objects.get())["insiders"] is None
    assert [client.get(address).status_code for address in (INSIDERS, DRIFT)] == [403, 403]


def test_without_the_permission_the_money_is_not_shown():
    open_drop()
    onlooker = a_user("onlooker")
    onlooker.user_permissions.add(Permission.objects.get(codename="view_order"))
    assert "Money" not in browser(onlooker).get(BOARD).text
    found = asked(onlooker)
    assert (found["money"], found["reviewers"], found["insiders"]) == (None, None, None)


def test_the_admin_leads_to_it():
    open_drop()
    page = browser(a_user("ops", group=OPS)).get("/admin/").text
    for address in (BOARD, INSIDERS, DRIFT):
        assert f'href="{address}"' in page
    assert f'href="{INSIDERS}"' not in browser(a_reviewer()).get("/admin/").text


@pytest.mark.parametrize("address", [BOARD, INSIDERS, DRIFT])
def test_the_policy_has_no_hole_here(address):
    open_drop()
    answer = browser(a_user("ops", group=OPS)).get(address)
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert " style=" not in answer.text
    assert "no-store" in answer["Cache-Control"]


# --- drift ------------------------------------------------------------------------------------------------------------


def test_the_drift_page_compares_the_drop_with_what_was_learned_and_two_models_with_each_other():
    drop = open_drop({"9": 8})
    made = [in_review(drop, score=score) for score in (10, 20, 90)]
    Evidence.objects.filter(order=made[0]).update(challenger={"version": "bold", "score": 88})
    Evidence.objects.filter(order=made[2]).update(challenger={"version": "bold", "score": 91})
    page = browser(a_user("ops", group=OPS)).get(DRIFT)
    found = page.context["found"]
    assert {drift.feature for drift in found.drifts} == {*registry.reference().terms}
    assert found.by_hour == {0: [0, 1, 1, 0, 0, 0, 0, 0, 0, 1]}
    (agreement,) = found.agreements
    assert (agreement.same_level, agreement.apart) == (0.5, 39.5)
    assert agreement.levels == [("high", [1, 0, 0]), ("medium", [0, 0, 0]), ("low", [1, 0, 0])]
    assert [one.order for one in agreement.dissent] == [made[0].number, made[2].number]
    assert "too few orders" in page.text
    assert "Champion and bold" in page.text


def test_of_a_large_drop_the_last_orders_are_read(monkeypatch):
    monkeypatch.setattr("fulfillment.dashboard.drift.MOST_ORDERS", 2)
    monkeypatch.setattr("fulfillment.dashboard.views.MOST_ORDERS", 2)
    drop = open_drop()
    for score in (10, 20, 90):
        in_review(drop, score=score)
    assert scored(drop, None).by_hour == {0: [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]}
    assert "its last 2 scored orders" in browser(a_user("ops", group=OPS)).get(DRIFT).text


def test_a_drop_without_orders_has_no_drift():
    open_drop()
    page = browser(a_user("ops", group=OPS)).get(DRIFT).text
    assert "No order has a score yet." in page


# --- what it costs ----------------------------------------------------------------------------------------------------

QUERIES = {BOARD: 15, f"{BOARD}?format=json": 15, INSIDERS: 7, DRIFT: 6}


def multiply(order: Order, times: int) -> None:
    """As many more orders like this one, each a customer of their own. Their rows are copied: 500 claims take long."""
    pairs = list(order.drop.pairs.filter(state="on_sale")[:times])
    order.drop.pairs.filter(pk__in=[pair.pk for pair in pairs]).update(state="held")
    made = Order.objects.bulk_create(
        copy(order, pair_id=pair.pk, public_id=uuid4(), customer_key=f"{n}@example.org", score=n % 100)
        for n, pair in enumerate(pairs)
    )
    around: list[Any] = [order.open_callback(), order.payment, order.evidence, order.signals]
    for row in around:
        rows = [copy(row, order_id=one.number) for one in made]
        for n, one in enumerate(rows):
            if isinstance(one, ClaimSignals):
                one.email_key, one.phone_key, one.address_key = str(n), f"{n // 4}", f"{n}"
            if isinstance(one, Payment):
                one.session_ref = str(n)
        type(row).objects.bulk_create(rows)


def copy(row: Any, **changes: Any) -> Any:
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return type(row)(**fields | {row._meta.pk.attname: None} | changes)


def test_a_minute_of_dashboards_costs_one_look_at_who_approves_whom():
    drop, ops = open_drop(), a_user("ops", group=OPS)
    order, _ = (in_review(drop, score=90, phone="+1 555 0000 011", line1=f"{n} Elm Court") for n in range(2))
    links.rebuild()
    watch_at.cache_clear()

    def flagged() -> list[int]:
        return [flag["number"] for flag in asked(ops)["insiders"]["flagged"]]

    assert flagged() == []
    decide(order, a_reviewer())
    seen = watch_at.cache_info()
    for _ in range(3):
        asked(ops)
    assert watch_at.cache_info().hits - seen.hits >= 2  # a minute may have begun
    clock.offset = timedelta(minutes=1)
    assert flagged() == [order.number]


def test_500_orders_cost_as_many_queries_as_three():
    drop, rita, client = open_drop({"9": 500}), a_reviewer(), browser(a_user("ops", group=OPS))

    def queries() -> dict[str, int]:
        links.rebuild()
        registry.scorers()
        counts = {}
        for address in QUERIES:
            watch_at.cache_clear()
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address).status_code == 200
            counts[address] = len(captured)
        return counts

    first, *_ = [in_review(drop) for _ in range(3)]
    few = queries()
    multiply(first, 497)
    Evidence.objects.update(challenger={"version": "bold", "score": 50})
    for n, order in enumerate(Order.objects.order_by("number")[3:43]):
        decide(order, rita, "reject" if n % 3 else "approve")
    assert queries() == few == QUERIES
    assert len(watch(drop).flags) > 5
    found = client.get(f"{BOARD}?format=json").json()
    assert (found["reviews"]["open"], found["stock"]["held"], found["stock"]["stray"]) == (460, 500, 0)
    assert len(client.get(BOARD).content) < 80_000
