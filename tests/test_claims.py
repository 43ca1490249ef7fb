"""A claim reserves one pair for one customer, whatever happens at the same time."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from django.db import OperationalError, close_old_connections, connection, transaction
from django.db.models import Model

from orders import workflow
from orders.claims import ClaimBell
from orders.customers import customer_key
from orders.errors import (
    AlreadyClaimed,
    IdempotencyConflict,
    SaleClosed,
    SaleNotOpen,
    SoldOut,
)
from orders.models import ClaimSignals, Drop, Event, Order, Pair, Work
from orders.risk.signals import signals_of
from orders.states import FIRST, PairState, Step
from tests.life import (
    SIGNALS,
    SIZE,
    a_claim,
    at_once,
    fresh,
    kinds,
    later,
    open_drop,
    place,
    settle,
)

pytestmark = pytest.mark.usefixtures("strangers")


def test_it_reserves_the_lowest_number_of_the_size():
    drop = open_drop({"9": 2, "10": 2})
    first = place(drop)
    assert Pair.objects.get(pk=first.pair_id).state == PairState.HELD
    assert Pair.objects.get(pk=first.pair_id).size == SIZE
    assert first.undo == ["release_pair"]
    assert [event.what for event in first.events.all()] == ["claimed"]
    assert set(first.work.values_list("step", flat=True)) == {Step.SCORE_RISK, Step.SEND_PLACED}


def test_as_many_claims_win_as_there_are_pairs():
    drop = open_drop({"9": 10})
    results = at_once([lambda: place(drop)] * 40)
    assert kinds(results) == {"Order": 10, "SoldOut": 30}
    assert Order.objects.values("pair").distinct().count() == 10


def test_one_customer_gets_one_pair_however_often_they_click():
    drop = open_drop({"9": 10})
    spellings = ["Ada.L@gmail.com", "adal+drop@googlemail.com", "ADAL@GMAIL.COM", "a.d.a.l@gmail.com"]
    results = at_once([lambda mail=mail: place(drop, a_claim(mail)) for mail in spellings * 5])
    assert kinds(results) == {"Order": 1, "AlreadyClaimed": 19}
    assert Pair.objects.filter(state=PairState.HELD).count() == 1


def test_one_key_is_one_order_however_often_it_is_sent():
    drop, claim = open_drop({"9": 10}), a_claim()
    results = at_once([lambda: place(drop, claim, key="one-click")] * 20)
    assert {result.number for result in results} == {Order.objects.get().number}


def test_one_key_for_two_mailboxes_at_once_is_one_order_and_conflicts():
    drop = open_drop({"9": 20})
    results = at_once([lambda n=n: place(drop, a_claim(f"c{n}@example.org"), key="k") for n in range(10)])
    assert kinds(results) == {"Order": 1, "IdempotencyConflict": 9}
    assert Pair.objects.filter(state=PairState.HELD).count() == 1


def test_a_key_may_be_used_again_after_a_day():
    drop, claim = open_drop({"9": 3}), a_claim()
    first = place(drop, claim, key="k")
    later(timedelta(hours=23))
    assert place(drop, claim, key="k") == first
    later(timedelta(hours=2))
    second = place(drop, key="k")
    assert second.number != first.number
    assert fresh(first).idempotency_key is None


def test_the_same_key_with_another_body_is_a_conflict():
    drop = open_drop()
    place(drop, key="k")
    with pytest.raises(IdempotencyConflict):
        place(drop, key="k")


@contextmanager
def a_claim_in_flight(drop: Drop) -> Iterator[None]:
    """Another claim has locked a pair and fails when the block ends."""
    holding, let_go = threading.Event(), threading.Event()

    def claim_that_fails() -> None:
        try:
            with transaction.atomic():
                free = Pair.objects.filter(drop=drop, size=SIZE, state=PairState.ON_SALE)
                free.order_by("number").select_for_update()[0]
                holding.set()
                let_go.wait(20)
                raise RuntimeError("the customer's connection broke")
        except RuntimeError:
            pass
        finally:
            connection.close()

    thread = threading.Thread(target=claim_that_fails)
    thread.start()
    assert holding.wait(20)
    try:
        yield
    finally:
        let_go.set()
        thread.join()


def test_a_pair_that_a_claim_in_flight_holds_is_not_sold_out():
    """The last pair is locked by a claim that fails in the end: who waited gets it, and is not told `sold_out`."""
    drop = open_drop({"9": 1})
    with ThreadPoolExecutor(1) as pool:
        with a_claim_in_flight(drop):
            waiting = pool.submit(at_once, [lambda: place(drop)])
            time.sleep(0.3)
            assert not waiting.done()
        assert [order.pair_number for order in waiting.result(20)] == [1]


def test_claims_never_wait_for_each_others_locks():
    """FOR UPDATE locks also what it then finds taken: claims that wait in a row lock's queue end in a deadlock."""
    drop = open_drop({"9": 1})
    with ThreadPoolExecutor(1) as pool, connection.cursor() as cursor:
        with a_claim_in_flight(drop):
            waiting = pool.submit(at_once, [lambda: place(drop)] * 5)
            for _ in range(30):
                time.sleep(0.01)
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                assert cursor.fetchone() == (0,)
        assert kinds(waiting.result(20)) == {"Order": 1, "SoldOut": 4}


def test_a_pair_that_cannot_be_had_keeps_nobody_for_ever(monkeypatch):
    """On sale and an order's at once: only a slip of our own or of an administrator makes that."""
    monkeypatch.setattr(workflow, "LOOK_AGAIN", 0)
    drop = open_drop({"9": 1})
    place(drop)
    Pair.objects.update(state=PairState.ON_SALE)
    with pytest.raises(RuntimeError):
        place(drop)


def test_a_claim_writes_all_that_was_said_and_seen():
    drop, claim = open_drop(), a_claim(line2="c/o Bob", phone="030 1234567")
    seen = SIGNALS | {"device": "d", "ticket_id": "t", "client": {"touch": True}}
    order = place(drop, claim, key="k", signals=seen)
    kept, (event,) = ClaimSignals.objects.get(order=order), order.events.all()
    assert columns(fresh(order)) == columns(order)
    assert columns(kept) == columns(signals_of(order, seen)) | {"id": kept.pk}
    made = Event(order=order, at=order.created_at, what="claimed", state=order.state, actor="customer")
    made.data, made.pk = {"pair": order.pair_number}, event.pk
    assert columns(event) == columns(made)
    for work in order.work.all():
        assert columns(work) == columns(Work(pk=work.pk, order=order, step=work.step, due_at=order.created_at))


def columns(row: Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@contextmanager
def listening() -> Iterator[psycopg.Connection]:
    parameters = {name: connection.get_connection_params()[name] for name in ("host", "dbname", "user")}
    with psycopg.connect(**parameters, autocommit=True) as listener:
        listener.execute("LISTEN work")
        yield listener


def test_a_claim_rings_for_its_work_once_it_has_committed(monkeypatch):
    """The bell is no part of the claim's own commit: whoever notifies commits alone, its wait for the disk included."""
    drop, bell = open_drop(), ClaimBell()
    with listening() as listener:
        with monkeypatch.context() as without_bell:
            without_bell.setattr(workflow, "bell", Mock(ClaimBell))
            place(drop)
        assert list(listener.notifies(timeout=0.2)) == []
        monkeypatch.setattr(workflow, "bell", bell)
        place(drop)
        assert sorted(told.payload for told in listener.notifies(timeout=0.5)) == sorted(FIRST)


def test_one_bell_serves_all_that_is_claimed_together(monkeypatch):
    drop, bell = open_drop(), ClaimBell()
    monkeypatch.setattr(workflow, "bell", bell)
    monkeypatch.setattr("orders.claims.TOGETHER", 60.0)
    with listening() as listener:
        place(drop)
        place(drop)
        assert len(list(listener.notifies(timeout=0.5))) == len(FIRST)
        bell.rung_at -= 60.0
        place(drop)
        assert len(list(listener.notifies(timeout=0.5))) == len(FIRST)


def test_a_bell_counts_from_before_it_is_rung():
    """The relay may hear it before we are told that it was rung; its second ring would come before a claim then."""
    bell, while_ringing = ClaimBell(), []

    def ringing(execute: Callable[..., Any], *statement: Any) -> Any:
        while_ringing.append(bell.rung_at)
        return execute(*statement)

    with connection.execute_wrapper(ringing):
        bell.tell_relay()
    assert while_ringing == [bell.rung_at]


def test_a_claim_whose_connection_breaks_once_it_has_committed_stands(monkeypatch):
    take_pair, drop = workflow.take_pair, open_drop()

    def take_and_break(*order: Any) -> bool:
        taken: bool = take_pair(*order)
        connection.connection.close()
        return taken

    monkeypatch.setattr(workflow, "take_pair", take_and_break)
    order = place(drop)
    connection.close()
    assert set(Work.objects.values_list("order_id", "step")) == {
        (order.number, Step.SCORE_RISK),
        (order.number, Step.SEND_PLACED),
    }


def test_a_claim_over_a_connection_that_postgresql_has_ended_finds_another():
    drop, earlier = open_drop(), connection.connection
    with listening() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [earlier.info.backend_pid])
    place(drop)
    assert connection.connection is not earlier


def test_nobody_waits_twice_for_a_postgresql_that_is_away(monkeypatch):
    drop, connect = open_drop(), Mock(side_effect=OperationalError)
    connection.close()
    monkeypatch.setattr(connection, "get_new_connection", connect)
    with pytest.raises(OperationalError):
        place(drop)
    assert connect.call_count == 1


def test_a_claim_spares_djangos_check_of_its_connection(monkeypatch):
    drop, check = open_drop(), Mock(return_value=True)
    close_old_connections()  # as each request begins: the next statement would be preceded by a check
    monkeypatch.setattr(connection, "is_usable", check)
    place(drop)
    assert not check.called


def test_refusals_come_in_the_contracts_order():
    drop = open_drop({"9": 1})
    claim = a_claim()
    place(drop, claim)
    with pytest.raises(AlreadyClaimed):  # and not sold_out
        place(drop, claim)
    with pytest.raises(SoldOut):
        place(drop)
    later(timedelta(days=3))
    with pytest.raises(SaleClosed):  # and not already_claimed
        place(drop, claim)
    later(timedelta(days=-4))
    with pytest.raises(SaleNotOpen):
        place(drop, claim)


def test_who_claims_again_is_mailed_the_link_at_most_once_an_hour():
    drop, claim = open_drop(), a_claim()
    order = place(drop, claim)
    for _ in range(3):
        with pytest.raises(AlreadyClaimed):
            place(drop, claim)
    settle()
    with pytest.raises(AlreadyClaimed):
        place(drop, claim)
    settle()
    assert order.mails.filter(kind=Step.SEND_LINK).count() == 1
    later(timedelta(minutes=61))
    with pytest.raises(AlreadyClaimed):
        place(drop, claim)
    settle()
    assert order.mails.filter(kind=Step.SEND_LINK).count() == 2


def test_a_customer_may_claim_again_after_the_order_was_undone():
    drop, claim = open_drop(), a_claim()
    first = place(drop, claim)
    workflow.cancel_order(public_id=first.public_id)
    settle()
    assert place(drop, claim).number != first.number


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a@example.org", "A@Example.ORG"),
        ("a@example.org", "a+sneakers@example.org"),
        ("john.doe@gmail.com", "johndoe@googlemail.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
    ],
)
def test_spellings_of_one_mailbox_are_one_customer(one, other):
    assert customer_key(one) == customer_key(other)


def test_dots_matter_outside_gmail():
    assert customer_key("a.b@example.org") != customer_key("ab@example.org")
