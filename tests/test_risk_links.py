"""Who belongs together: what joins orders, what does not, and that nothing depends on the order of things."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from orders import clock
from orders.models import ClaimSignals, Order
from orders.risk import links, signals
from orders.risk.features import signed
from orders.risk.links import GROUPS, MOST_BY_WEAK, WEAK, NotLinked, cut, edges_of, groups_of, join, members, rebuild
from orders.risk.replay import RawOrder, written
from orders.risk.score import score_order
from orders.states import Outcome, State
from tests.life import SIGNALS, a_claim, open_drop, place

REPORT = {"timezone": "Europe/Berlin", "screen": [1080, 2400], "touch": True}
pytestmark = pytest.mark.django_db


def customer(drop, n, *, device="", client=None, join_it=True, **fields):
    """Somebody who shares nothing with the others but what is given."""
    given = {"line1": f"{n} {chr(97 + n % 26) * 3} Road", "postcode": f"{10000 + n}", "email": f"someone{n}@gmail.com"}
    raw = SIGNALS | {"ip": f"198.51.{n}.1", "device": device, "client": client}
    order = place(drop, a_claim(**given | fields), signals=raw)
    if join_it:
        join(read(order))
    return order


def read(order):
    """The order's signals as a score reads them."""
    return signed([order], GROUPS)[order.number]


def groups():
    """The groups of more than one order, as sets of numbers."""
    found = {}
    for number, link in ClaimSignals.objects.exclude(link=None).values_list("order_id", "link"):
        found.setdefault(link, set()).add(number)
    return sorted(map(frozenset, found.values()), key=min)


def test_a_strong_key_joins_and_what_is_shared_with_others_joins_those_too():
    drop = open_drop({"9": 9})
    by_phone = [customer(drop, n, phone="+1 212 555 0188") for n in (1, 2)]
    alone = customer(drop, 3)
    by_browser = [customer(drop, n, device="one browser") for n in (4, 5)]
    assert groups() == [{o.number for o in by_phone}, {o.number for o in by_browser}]
    bridge = customer(drop, 6, phone="+1 212 555 0188", device="one browser")
    assert groups() == [{o.number for o in [*by_phone, *by_browser, bridge]}]
    assert ClaimSignals.objects.get(order=alone).link is None


def test_an_ip_address_joins_nobody():
    drop = open_drop({"9": 2})
    for n in (1, 2):
        order = place(drop, a_claim(line1=f"{n}{n} Elm Street", email=f"p{n}@gmail.com"))
        join(read(order))
    assert groups() == []


def test_a_weak_key_joins_the_first_few_and_with_a_second_one_anybody():
    drop = open_drop({"9": 30})
    hall = {"line1": "1 Hall Street", "postcode": "12345"}
    residents = [customer(drop, n, **hall) for n in range(10)]
    assert groups() == [{o.number for o in residents[:MOST_BY_WEAK]}]
    farm = [customer(drop, n, client=REPORT, **hall) for n in range(10, 13)]
    assert {o.number for o in farm} in groups()


def test_a_replay_keeps_nobody_waiting():
    raw = {"form": {"phone": "+1 212 555 0188"}}
    with transaction.atomic():
        written([RawOrder.read(raw, before=clock.now()) for _ in range(2)])
        assert [len(group) for group in groups()] == [2]
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            assert cursor.fetchone() == (0,)


def test_a_group_reaches_back_to_earlier_drops():
    earlier, now = open_drop({"9": 1}), open_drop({"9": 1})
    orders = [customer(drop, n, phone="+1 212 555 0188") for n, drop in enumerate((earlier, now))]
    Order.objects.filter(pk=orders[0].pk).update(state=State.COMPENSATED, outcome=Outcome.REJECTED, pair=None, undo=[])
    seen = score_order(Order.objects.get(pk=orders[1].pk), clock.now()).features
    assert (seen["link_size"], seen["link_paid"], seen["link_rejected"]) == (2, 0, 1)
    assert seen["phone_sale"] == 1, "the sale's own windows do not"


def test_whoever_comes_first_the_groups_are_the_same():
    drop = open_drop({"9": 60})
    dice = random.Random(7)
    orders = []
    for n in range(60):
        weak = {"line1": "1 Hall Street", "postcode": "12345"} if dice.random() < 0.4 else {}
        weak |= {"client": REPORT} if dice.random() < 0.4 else {}
        strong = {"phone": f"+1 212 555 {dice.randrange(130):04}", "device": f"d{dice.randrange(130)}"}
        orders.append(customer(drop, n, join_it=False, **weak, **strong))
    for order in dice.sample(orders, len(orders)):
        join(read(order))
    incremental = groups()
    ClaimSignals.objects.update(link=None)
    assert rebuild() == len(incremental)
    assert groups() == incremental
    assert {frozenset(g) for g in incremental} == components(orders)


def components(orders):
    """The same by repeated merging of sets, which is slow and hard to get wrong."""
    sets = []
    for order in orders:
        kept = order.signals
        keys = {kept.phone_key, kept.device_key}
        if kept.print_key:
            keys.add(kept.print_key + kept.address_key)
        for name in WEAK:
            holders = [o.number for o in orders if getattr(kept, name) == getattr(o.signals, name) != ""]
            if order.number in holders[:MOST_BY_WEAK]:
                keys.add(getattr(kept, name))
        sets.append(({order.number}, keys))
    merged = True
    while merged:
        merged = False
        for one in sets:
            for other in sets:
                if one is not other and one[1] & other[1]:
                    one[0].update(other[0])
                    one[1].update(other[1])
                    sets.remove(other)
                    merged = True
                    break
            if merged:
                break
    return {frozenset(numbers) for numbers, _ in sets if len(numbers) > 1}


@pytest.mark.django_db(transaction=True)
def test_orders_that_come_at_the_same_instant_find_each_other():
    drop = open_drop({"9": 24})
    orders = [
        customer(drop, n, join_it=False, phone=f"+1 212 555 00{n // 2:02}", device=f"d{(n + 1) // 2}")
        for n in range(24)
    ]

    def work(order):
        join(read(order))
        connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, orders))
    assert groups() == [{o.number for o in orders}]


def test_nobody_linked_costs_nothing_and_a_known_group_neither():
    drop = open_drop({"9": 9})
    first, second = (customer(drop, n, phone="+1 212 555 0188") for n in range(2))
    alone = customer(drop, 3, join_it=False)
    for order in (alone, second, first):
        kept = read(order)
        with CaptureQueriesContext(connection) as queries:
            join(kept)
        assert len(queries) == 0


def test_whoever_joins_a_group_costs_four_queries_however_many_are_in_it():
    drop = open_drop({"9": 30})
    for n in range(20):
        customer(drop, n, phone="+1 212 555 0188")
    late = read(customer(drop, 20, phone="+1 212 555 0188", join_it=False))
    with CaptureQueriesContext(connection) as queries:
        assert join(late) == range(21, 22)
    assert len(queries) == 4 + 2  # the lock, whom it joins by now, their sizes, the change; a savepoint


def test_staff_may_remove_what_links_wrongly_and_the_journal_tells():
    drop = open_drop({"9": 9})
    left = [customer(drop, n, phone="+1 212 555 0188") for n in (1, 2)]
    right = [customer(drop, n, device="one browser") for n in (3, 4)]
    bridge = customer(drop, 5, phone="+1 212 555 0188", device="one browser")
    cut(number=bridge.number, kind="phone", who="rita", reason="A typing slip.")
    assert groups() == [{o.number for o in left}, {o.number for o in [*right, bridge]}]
    event = bridge.events.latest("id")
    assert (event.what, event.who, event.cause, event.data) == (
        "link removed",
        "rita",
        "A typing slip.",
        {"kind": "phone"},
    )
    with pytest.raises(NotLinked):
        cut(number=bridge.number, kind="phone", who="rita", reason="Again.")
    with pytest.raises(NotLinked):
        cut(number=bridge.number, kind="horoscope", who="rita", reason="What?")
    assert rebuilt_are_the_same()


def rebuilt_are_the_same():
    before = groups()
    rebuild()
    return before == groups()


def test_where_a_link_is_removed_the_next_ones_at_that_address_move_up():
    drop = open_drop({"9": 30})
    hall = {"line1": "1 Hall Street", "postcode": "12345"}
    first, *others = [customer(drop, n, **hall) for n in range(MOST_BY_WEAK + 1)]
    pair = [customer(drop, n, phone="+1 212 555 0188", **hall) for n in (10, 11)]
    told = cut(number=first.number, kind="address", who="rita", reason="A typing slip.")
    assert groups() == [{o.number for o in others}, {o.number for o in pair}]
    assert told == {o.number for o in [first, *others]}
    assert rebuilt_are_the_same()
    cut(number=pair[0].number, kind="phone", who="rita", reason="A hotel's desk.")
    assert groups() == [{o.number for o in others}], "an address of many holds nobody together"
    assert rebuilt_are_the_same()


def test_every_edge_says_why():
    drop = open_drop({"9": 9})
    one, two = (customer(drop, n, phone="+1 212 555 0188", device="one browser") for n in (1, 2))
    three = customer(drop, 3, line1=two.line1, postcode=two.postcode)
    signals_of_two = ClaimSignals.objects.get(order=two)
    found = edges_of(members(signals_of_two))
    assert [(edge.first, edge.second, set(edge.why)) for edge in found] == [
        (one.number, two.number, {"phone", "browser"}),
        (two.number, three.number, {"address"}),
    ]


def test_links_outlive_the_signals_by_sixty_days():
    drop = open_drop({"9": 2})
    orders = [customer(drop, n, phone="+1 212 555 0188") for n in range(2)]
    signals.purge(drop.closes_at + timedelta(days=31))
    kept = ClaimSignals.objects.get(order=orders[1])
    assert (kept.raw, kept.ip_key, kept.net_key, kept.header_key, kept.print_key) == ({}, "", "", "", "")
    assert kept.phone_key
    assert kept.link == orders[0].number
    signals.purge(drop.closes_at + timedelta(days=91))
    assert not ClaimSignals.objects.exists()


def test_what_is_forgotten_links_nobody_any_more():
    earlier, now = open_drop({"9": 30}), open_drop({"9": 30})
    crowd = [customer(earlier, n, client=REPORT) for n in range(MOST_BY_WEAK)]
    late = [customer(now, n, client=REPORT) for n in (10, 11)]
    assert groups() == [{o.number for o in crowd}]
    earlier.closes_at = now.closes_at - timedelta(days=40)
    earlier.opens_at = earlier.closes_at - timedelta(days=1)
    earlier.save()
    forgotten = earlier.closes_at + timedelta(days=31)
    assert signals.purge(forgotten) == len(crowd)
    assert groups() == [{o.number for o in late}]
    assert rebuilt_are_the_same()
    with CaptureQueriesContext(connection) as queries:
        assert signals.purge(forgotten) == 0
    assert len(queries) == 5, "nothing is due: its transaction, the lock, two looks"


def test_the_command_says_how_many_groups_there_are():
    drop = open_drop({"9": 4})
    for n in range(4):
        customer(drop, n, join_it=False, phone=f"+1 212 555 010{n // 2}")
    out = StringIO()
    call_command("rebuild_links", stdout=out)
    assert out.getvalue() == "2 groups of more than one order\n"
    assert len(groups()) == 2


def test_union_find_needs_no_database():
    rows = [ClaimSignals(order_id=n, phone_key=f"p{n // 2}", device_key=f"d{(n + 1) // 2}") for n in range(5000)]
    assert set(groups_of(rows).values()) == {0}
    assert links.edges_of(rows[:2])[0].why == ("phone",)
