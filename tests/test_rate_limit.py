"""Claims a minute per client address."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from orders import clock
from orders.models import ClaimAttempts
from orders.risk import limit
from orders.risk.limit import count_attempt

HOME, OTHER = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def time_is_put_right() -> Iterator[None]:
    yield
    clock.offset = timedelta(0)


@pytest.fixture
def at(db: None) -> Callable[[float], None]:
    """Sets the database's clock to so many seconds after the begin of a minute."""
    clock.offset = timedelta(0)
    minute = clock.now().replace(second=0, microsecond=0) + timedelta(minutes=1)

    def move(seconds: float) -> None:
        clock.offset = timedelta(0)
        clock.offset = minute + timedelta(seconds=seconds) - clock.now()

    return move


def allowed(count: int, address: str = HOME) -> int:
    return sum(count_attempt(address) == 0 for _ in range(count))


def test_sixty_claims_a_minute_pass_and_the_next_is_told_when_to_come_back(at: Any, settings: Any) -> None:
    assert settings.CLAIM_RATE == 60
    at(5)
    assert allowed(60) == 60
    assert 50 <= count_attempt(HOME) <= 60
    assert count_attempt(OTHER) == 0


def test_whoever_comes_back_when_told_is_let_in(at: Any, settings: Any) -> None:
    settings.CLAIM_RATE = 5
    at(20)
    assert allowed(9) == 5
    wait = count_attempt(HOME)
    at(20 + wait - 3)
    assert 1 <= count_attempt(HOME) <= 4
    at(20 + wait + 1)
    assert count_attempt(HOME) == 0


def test_the_edge_of_a_minute_doubles_nothing(at: Any) -> None:
    at(58)
    assert allowed(70) == 60
    at(60.5)
    assert allowed(70) <= 1


def test_a_crowd_that_never_stops_keeps_its_rate(at: Any, settings: Any) -> None:
    settings.CLAIM_RATE = 6
    at(0)
    passed = 0
    for second in range(0, 300, 5):  # twelve a minute
        at(second)
        passed += allowed(1)
    assert 24 <= passed <= 31


def test_an_ipv6_customer_is_a_64_and_an_ipv4_customer_an_address(at: Any, settings: Any) -> None:
    settings.CLAIM_RATE = 2
    at(5)
    assert allowed(1, "2001:db8::1") + allowed(1, "2001:db8::2") + allowed(1, "2001:db8::3") == 2
    assert count_attempt("2001:db8:0:1::1") == 0


def test_zero_turns_it_off_and_writes_nothing(at: Any, settings: Any) -> None:
    settings.CLAIM_RATE = 0
    assert allowed(100) == 100
    assert not ClaimAttempts.objects.exists()


def test_addresses_are_not_kept_in_clear(at: Any) -> None:
    count_attempt(HOME)
    assert HOME not in repr(ClaimAttempts.objects.values())


def test_counting_reads_no_other_address_though_the_planner_knows_nothing_of_this_minute(at: Any) -> None:
    at(5)
    minute = clock.now().replace(second=0, microsecond=0)

    def attempts(count: int, ago: timedelta) -> None:
        ClaimAttempts.objects.bulk_create(
            ClaimAttempts(ip_key=f"{n}", minute=minute - n * ago, count=1) for n in range(count)
        )

    attempts(2000, ago=timedelta(minutes=1))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orders_claimattempts")
        ClaimAttempts.objects.filter(minute=minute).delete()
        attempts(2000, ago=timedelta(0))
        cursor.execute(
            f"EXPLAIN (ANALYZE) {limit.COUNT}", {"offset": clock.offset.total_seconds(), "key": "k", "rate": 60}
        )
        assert "Removed by Filter" not in "".join(line for (line,) in cursor.fetchall())


def test_counting_is_one_statement(at: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3):  # the test's own transaction adds a savepoint and its release
        count_attempt(HOME)


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_counting_is_one_statement_in_all(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        count_attempt(HOME)


def test_a_database_that_cannot_count_lets_the_claim_pass_and_the_transaction_live(at: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_claimattempts RENAME TO gone")
        assert count_attempt(HOME) == 0
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_instant_are_all_counted(settings: Any) -> None:
    settings.CLAIM_RATE = 10
    clock.offset = timedelta(0)
    clock.offset = timedelta(seconds=(70 - clock.now().second) % 60)  # well inside a minute

    def attempt(_: int) -> int:
        try:
            return count_attempt(HOME)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(attempt, range(40)))
    assert waits.count(0) == 10


def test_old_minutes_are_forgotten(at: Any) -> None:
    at(5)
    count_attempt(HOME)
    now = clock.now()
    assert limit.purge(now) == 0
    assert limit.purge(now + timedelta(days=1, minutes=1)) == 1
