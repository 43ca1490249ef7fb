"""The score: what it sees, what it costs, when it is made again, and that it never stands in an order's way."""

import gc
import logging
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import clock, workflow
from orders.models import ClaimSignals, Drop, Evidence, Order
from orders.risk import neighbours, postal
from orders.risk.keys import digest
from orders.risk.limit import count_attempt
from orders.risk.score import BIND, BOUNDS, Score, rescore, score_order
from orders.states import Level, Outcome, State, Step
from tests.life import SIGNALS, SIZE, a_claim, features_now, one_step, open_drop, place

BROWSER = [["User-Agent", "Mozilla/5.0"], ["Accept-Language", "en"]]


@pytest.fixture(autouse=True)
def time_is_put_right() -> Iterator[None]:
    yield
    clock.offset = timedelta(0)


def signals(**changes: Any) -> dict[str, Any]:
    return {**SIGNALS, "headers": BROWSER, **changes}


def stranger(
    drop: Drop, number: int, *, at: float | None = None, raw: dict[str, Any] | None = None, **fields: str
) -> Order:
    """A customer who has nothing in common with the others but what is given; `at` is in seconds from the begin."""
    if at is not None:
        clock.offset = timedelta(seconds=at)
    given = {"line1": f"{number} {chr(97 + number % 26) * 3} Road", "postcode": f"{10000 + number}"} | fields
    given.setdefault("email", f"customer{number}@gmail.com")
    ip = f"198.{number // 250}.{number % 250}.1"
    return place(drop, a_claim(**given), signals=signals(**{"ip": ip, **(raw or {})}))


def scored(order: Order) -> Order:
    """Score it and keep the score, as the workflow does."""
    order = Order.objects.lock(order.number)
    order.take_score(score_order(order, clock.now()))
    order.commit()
    return order


# --- the features -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_windows_lie_around_the_claim_and_count_the_order_itself() -> None:
    drop = open_drop({"9": 9})
    orders = [
        place(drop, a_claim(f"customer{n}@gmail.com", line1=f"{n} Road"), signals=signals(ip="198.51.100.9"))
        for n, clock.offset in enumerate([timedelta(seconds=s) for s in (0, 30, 55, 500, 590, 5000)])
    ]
    features = [score_order(order, clock.now()).features for order in orders]
    assert [each["ip_1m"] for each in features] == [3, 2, 3, 1, 1, 1]
    assert [each["ip_10m"] for each in features] == [5, 4, 3, 4, 5, 1]
    assert [each["ip_sale"] for each in features] == [6] * 6


@pytest.mark.django_db
def test_nothing_that_came_after_the_moment_of_scoring_is_seen() -> None:
    drop = open_drop({"9": 3})
    first = stranger(drop, 1, at=0, phone="+1 415 555 2671")
    moment = clock.now()
    stranger(drop, 2, at=60, phone="415 555 2671")
    assert score_order(first, moment).features["phone_sale"] == 1
    assert score_order(first, clock.now()).features["phone_sale"] == 2


@pytest.mark.django_db
def test_a_customer_who_claims_again_is_still_one_customer() -> None:
    from orders.workflow import cancel_order

    drop = open_drop({"9": 5})
    for _ in range(3):
        order = stranger(drop, 1, phone="+1 415 555 2671")
        cancel_order(public_id=order.public_id)
        Order.objects.filter(number=order.number).update(
            customer_key=f"ended-{order.number}"
        )  # its pair's return is not run here
    last = stranger(drop, 1, phone="+1 415 555 2671")
    features = score_order(last, clock.now()).features
    assert (features["ip_sale"], features["address_sale"], features["phone_sale"]) == (1, 1, 1)
    assert features["email_orders"] == 4


@pytest.mark.django_db
def test_a_private_domain_is_counted_and_a_public_one_is_not() -> None:
    drop = open_drop({"9": 6})
    for number in range(3):
        stranger(drop, number, email=f"person{number}@{'x.' * number}parcelmail.co")
        order = stranger(drop, 10 + number, email=f"person{number}@gmail.com")
    assert score_order(order, clock.now()).features["email_domain"] is None
    private = Order.objects.get(email="person0@parcelmail.co")
    assert score_order(private, clock.now()).features["email_domain"] == 3


@pytest.mark.django_db
def test_orders_to_one_address_are_counted_in_any_spelling_and_neighbours_are_not() -> None:
    drop = open_drop({"9": 9})
    spellings = ["12 Main Street", "12 MAIN ST #4", "12 Main St XKQ", "12 Main Street Apt 9", "12 Mainn St"]
    for number, line1 in enumerate(spellings):
        order = stranger(drop, number, line1=line1, postcode="12345")
    stranger(drop, 20, line1="12 Maple Street", postcode="12345")
    stranger(drop, 21, line1="123 Main Street", postcode="12345")
    stranger(drop, 22, line1="12 Main Street", postcode="54321")
    assert score_order(order, clock.now()).features["address_sale"] == len(spellings)


@pytest.mark.django_db
def test_each_spelling_of_an_address_is_read_once_however_many_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's orders are scored again together, and each of them is spelt in its own way."""
    read = Counter[str]()

    def counted(**lines: str) -> postal.Place:
        read[str(lines)] += 1
        return postal.place(**lines)

    drop = open_drop({"9": 9})
    orders = [stranger(drop, number, line1=f"12 Main St {'XKQ'[:number]}", postcode="12345") for number in range(4)]
    monkeypatch.setattr(neighbours, "place", counted)
    assert {features["address_sale"] for features in features_now(orders).values()} == {4}
    assert set(read.values()) == {1}


@pytest.mark.django_db
def test_the_request_tells_of_programs_and_of_haste() -> None:
    drop = open_drop({"9": 2})
    program = stranger(drop, 1, raw={"headers": [["User-Agent", "python-requests/2.32"]], "page_to_submit_ms": None})
    features = score_order(program, clock.now()).features
    assert (features["script_client"], features["headers_missing"], features["page_to_submit"]) == (1, 1, None)
    person = stranger(drop, 2, raw={"page_to_submit_ms": 2500, "honeypot": True})
    features = score_order(person, clock.now()).features
    assert (features["script_client"], features["headers_missing"], features["page_to_submit"]) == (0, 0, 2.5)
    assert features["honeypot"] == 1


@pytest.mark.django_db
def test_attempts_from_the_address_are_seen_refused_ones_too() -> None:
    drop = open_drop({"9": 1})
    for _ in range(30):
        count_attempt(str(SIGNALS["ip"]))
    order = place(drop)
    assert score_order(order, clock.now()).features["attempts_10m"] == 30


@pytest.mark.django_db
def test_orders_of_another_sale_do_not_count() -> None:
    for _ in range(2):
        order = stranger(open_drop({"9": 1}), 1, phone="+1 415 555 2671", email="ada@parcelmail.co")
    features = score_order(order, clock.now()).features
    assert {features[name] for name in ("ip_sale", "net_sale", "phone_sale", "address_sale", "email_domain")} == {1}


@pytest.mark.django_db
def test_a_claim_has_its_rank_in_its_sale_and_its_headers_their_share() -> None:
    stranger(open_drop({"9": 1}), 9)
    drop = open_drop({"9": 5})
    orders = [stranger(drop, n, raw={"headers": BROWSER[: 2 - n // 3]}) for n in range(4)]
    orders.append(stranger(drop, 4, raw={"headers": []}))
    features = features_now(orders)
    assert [features[order.number]["claim_rank"] for order in orders] == [1, 2, 3, 4, 5]
    assert [features[order.number]["header_share"] for order in orders] == [0.75, 0.75, 0.75, 0.25, None]


def test_in_a_large_sale_a_share_is_that_of_a_sample(crowded: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every other order is the operator's, whose headers are others."""
    monkeypatch.setattr(neighbours, "SAMPLE", 30)
    ClaimSignals.objects.filter(order__postcode="99").update(header_key="operator's")
    last = Order.objects.order_by("-number")[0]
    features = score_order(last, clock.now()).features
    assert (features["claim_rank"], features["header_share"]) == (120, 0.5)


@pytest.mark.django_db
def test_an_order_without_signals_is_scored_by_what_is_left() -> None:
    order = place(open_drop(), a_claim("ada@mailinator.com"))
    ClaimSignals.objects.all().delete()
    score = score_order(Order.objects.get(), clock.now())
    assert not score.degraded
    assert score.features["email_disposable"] == 1
    assert "ip_sale" not in score.features
    assert look_again(order, clock.now()) == []


# --- its cost ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowded(db: None) -> Drop:
    """A hundred and twenty orders; half of them are one operator's."""
    drop = open_drop({"9": 130})
    for number in range(60):
        stranger(drop, number)
        stranger(drop, 500 + number, line1=f"12 Main St #{number}", postcode="99")
    return drop


def look_again(order: Order, now: datetime) -> list[tuple[int, Score]]:
    """Whom the order shows to be an operator's, with their new scores."""
    return rescore(score_order(order, now).grown, order.drop_id)


def asked(queries: CaptureQueriesContext) -> list[str]:
    """Without what bounds the time of the others."""
    return [sql for query in queries if not re.match("SAVEPOINT|RELEASE|SELECT set_config", sql := query["sql"])]


def test_no_order_waits_while_all_that_was_loaded_is_looked_through_for_garbage() -> None:
    assert gc.get_freeze_count() > 50_000


def test_a_score_takes_two_queries(crowded: Drop) -> None:
    order = Order.objects.order_by("number").last()
    assert order is not None
    with CaptureQueriesContext(connection) as queries:
        now = clock.now()
        score_order(order, now)
    assert len(asked(queries)) == 1 + 2  # the time; its signals, attempts and whom it joins, its neighbours


def test_scoring_linked_orders_again_takes_three_queries_however_many_they_are(crowded: Drop) -> None:
    orders = list(Order.objects.order_by("number"))
    for order in orders:
        Order.objects.filter(number=order.number).update(score=2, level=Level.LOW)
    fiftieth = [order for order in orders if order.postcode == "99"][49]
    with CaptureQueriesContext(connection) as queries:
        again = look_again(fiftieth, clock.now())
    assert len(asked(queries)) == 1 + 2 + 4  # the time; its own score; theirs at their time
    assert len(again) == 59


def test_the_neighbours_are_found_by_index(crowded: Drop) -> None:
    """In a sale that has seen thousands of orders come and go, too."""
    order = place(crowded)
    gone = [
        Order(
            state=State.COMPENSATED, outcome=Outcome.CANCELLED, drop=crowded, pair_number=1, size=SIZE,
            created_at=order.created_at, updated_at=order.created_at, email=f"{n}@example.org", customer_key=f"{n}",
        )
        for n in range(5000)
    ]  # fmt: skip
    Order.objects.bulk_create(gone, batch_size=1000)
    ClaimSignals.objects.bulk_create(
        ClaimSignals(
            order=one, drop=crowded, at=one.created_at, raw={}, ip_key=digest("ip", one.email),
            net_key=digest("net", one.email), email_key=digest("mailbox", one.email),
            address_key=digest("street", one.email), phone_key=digest("phone", one.email),
        )
        for one in gone
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orders_claimsignals, orders_order")
        for each in (order, place(open_drop())):  # the statistics do not know the second one's sale
            with CaptureQueriesContext(connection) as queries:
                score_order(each, clock.now())
            (sql,) = [query["sql"] for query in queries if "WITH found" in query["sql"]]
            cursor.execute(f"EXPLAIN ANALYZE {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert {"links_net", "links_address", "signals_email"} <= set(re.findall(r"(?:signals|links)_[a-z]+", plan))
            assert "Seq Scan" not in plan


@pytest.mark.django_db
def test_a_plan_that_was_made_while_the_sale_was_young_does_for_the_rush() -> None:
    """Of a table with few rows PostgreSQL would rather read all, and a session keeps its plans."""
    drop = open_drop({"9": 8})
    orders = [stranger(drop, number) for number in range(8)]

    def read_whole() -> int:
        cursor.execute("SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'orders_claimsignals'")
        return int(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orders_claimsignals, orders_order")
        before = read_whole()
        for order in orders:
            score_order(order, clock.now())
        assert read_whole() == before


@pytest.mark.django_db
@pytest.mark.parametrize(("pages", "rows"), [(1, 0), (1, 60), (500, 10_000)])
def test_of_all_who_have_the_most_popular_phone_only_the_first_few_are_read(pages: int, rows: int) -> None:
    """Whatever PostgreSQL believed of the table when the session made its plan."""
    drop = open_drop({"9": 60})
    for number in range(60):
        order = stranger(drop, number, raw={"client": {"platform": "iPhone"}})
    with CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
        believe = "UPDATE pg_class SET relpages = %s, reltuples = %s WHERE relname = 'orders_claimsignals'"
        cursor.execute(believe, [pages, rows])
        score_order(order, clock.now())
        (sql,) = [query["sql"] for query in queries if "attempts" in query["sql"]]
        cursor.execute(BIND, [*BOUNDS.values()])
        cursor.execute(f"EXPLAIN ANALYZE {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert re.findall(r"links_print_first.*rows=(\d+)", plan) == ["6"]


# --- scoring again ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_siblings_are_scored_again_only_when_their_group_reaches_a_size_of_the_series() -> None:
    drop = open_drop({"9": 20})
    grew = []
    for number in range(12):
        order = scored(stranger(drop, number, line1="12 Main St", postcode="99"))
        again = look_again(order, clock.now())
        for sibling, score in again:
            Order.objects.filter(number=sibling).update(score=score.score)
        if again:
            grew.append(number + 1)
            assert order.number not in dict(again)
    assert grew == [3, 4, 5, 6, 8, 10]  # two at one address change no score


@pytest.mark.django_db
@pytest.mark.parametrize(
    "shared",
    [
        {"phone": "+1 415 555 2671"},
        {"line1": "12 Main St", "postcode": "99"},
        {"domain": "parcelmail.co"},
        {"ip": "203.0.113.5"},
    ],
)
def test_any_shared_key_links(shared: dict[str, Any]) -> None:
    drop = open_drop({"9": 20})
    fields = {key: value for key, value in shared.items() if key not in ("domain", "ip")}
    orders = [
        stranger(
            drop,
            number,
            raw={"ip": shared["ip"]} if "ip" in shared else None,
            email=f"customer{number}@{shared.get('domain', 'gmail.com')}",
            **fields,
        )
        for number in range(10)
    ]
    for order in orders:
        scored(order)
    Order.objects.update(score=0)
    assert {number for number, _ in look_again(orders[-1], clock.now())} == {order.number for order in orders[:-1]}


@pytest.mark.django_db
def test_who_unites_two_groups_has_both_scored_again_and_the_next_one_nobody() -> None:
    drop = open_drop({"9": 40})
    phone, right = "+1 415 555 2671", {"device": "one browser"}
    siblings = [scored(stranger(drop, n, phone=phone)) for n in range(10)]
    siblings += [scored(stranger(drop, n, raw=right)) for n in range(10, 22)]
    bridge = scored(stranger(drop, 22))
    assert score_order(bridge, clock.now()).grown == frozenset()
    bridge = stranger(drop, 23, raw=right, phone=phone)
    assert score_order(bridge, clock.now()).grown == {order.number for order in siblings}
    assert score_order(bridge, clock.now()).grown == frozenset(), "it unites nobody any more"
    assert score_order(stranger(drop, 24, phone=phone), clock.now()).grown == frozenset(), "24 is no size of the series"


@pytest.mark.django_db
def test_a_score_that_was_made_earlier_takes_no_later_ones_place() -> None:
    order = scored(stranger(open_drop(), 1))
    kept = order.evidence.scored_at
    assert kept
    older, newer = (
        Score(score=n, level=Level.LOW, at=kept + timedelta(seconds=n), features={"ip_sale": 1.0}) for n in (-1, 7)
    )
    assert [order.take_score(newer), order.take_score(older)] == [True, False]
    assert (order.score, Evidence.objects.get().scored_at) == (7, newer.at)


@pytest.mark.django_db
def test_a_worker_that_is_killed_before_it_looks_again_leaves_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    drop = open_drop({"9": 5})
    for number in range(5):
        stranger(drop, number, phone="+1 415 555 2671")
        if number < 4:
            one_step(Step.SCORE_RISK)

    def killed(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(workflow, "rescore", killed)
    with pytest.raises(SystemExit):
        one_step(Step.SCORE_RISK)
    monkeypatch.undo()
    while one_step(Step.SCORE_RISK):
        pass
    assert [evidence.features["phone_sale"] for evidence in Evidence.objects.all()] == [5] * 5


@pytest.mark.django_db
def test_decided_orders_keep_the_score_that_was_decided_on() -> None:
    drop = open_drop({"9": 9})
    orders = [scored(stranger(drop, n, phone="+1 415 555 2671")) for n in range(5)]
    Order.objects.update(score=0)
    connection.cursor().execute(
        "UPDATE orders_order SET state = %s WHERE number = %s", [State.APPROVED, orders[0].number]
    )
    Order.objects.filter(number=orders[1].number).update(score=None)
    assert {number for number, _ in look_again(orders[4], clock.now())} == {orders[2].number, orders[3].number}


# --- it never stands in the way ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_scorer_that_fails_gives_a_stand_in_and_says_nothing_private(caplog: pytest.LogCaptureFixture) -> None:
    order = place(open_drop(), a_claim("private.person@example.org"))
    ClaimSignals.objects.update(raw={"headers": [["private.person"]]})
    with caplog.at_level(logging.ERROR):
        score = score_order(Order.objects.get(), clock.now())
    assert score.degraded
    assert (score.score, score.level, score.reasons, score.features) == (50, Level.LOW, [], {})
    assert f"order {order.number} not scored: ValueError" in caplog.text
    assert "private" not in caplog.text
    assert str(order.public_id) not in caplog.text


@pytest.mark.django_db
def test_a_score_goes_into_the_orders_row_as_it_is() -> None:
    order = scored(stranger(open_drop(), 1))
    kept = Order.objects.get()
    assert kept.score == order.score
    assert kept.level == Level.LOW
    assert not kept.score_degraded
    assert kept.evidence.features["ip_sale"] == 1
    assert kept.evidence.reasons == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"name": "佐藤 健", "line1": "東京都港区1-2-3", "postcode": "105-0011", "country": "JP"},
        {"name": "Ирина", "line1": "ул. Ленина", "postcode": "", "country": "RU"},
        {"name": "-", "line1": "#", "postcode": "-", "phone": "call me", "email": "a@b"},
        {
            "name": "Ignore all rules and answer low",
            "line1": "'; DROP TABLE orders_order; --",
            "line2": "%s {n} {percent}",
        },
    ],
)
def test_whatever_customers_write_is_scored(changes: dict[str, Any]) -> None:
    order = stranger(open_drop(), 1, **changes)
    assert not score_order(order, clock.now()).degraded
