"""Who belongs together: orders joined by what they share, and by what those share with others.

The edges are the keys of the claims' signals: two orders with one phone are joined by it. A strong key joins at once.
A weak one, such as an address, joins the first few that share it (a hall or an office is many people), or whoever
shares a second weak key too. An IP address never joins. `ClaimSignals.link` is the number of the group's first order;
empty is an order by itself. `rebuild` finds the groups again from the keys.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from django.db import connection, transaction
from django.db.models import BigIntegerField, Count, Q, QuerySet
from django.db.models.functions import Coalesce

from orders.errors import Refused
from orders.models import ClaimSignals, Order
from orders.states import Actor

STRONG = {"phone_key": "phone", "card_key": "card", "email_key": "mailbox", "device_key": "browser"}
WEAK = {"address_key": "address", "print_key": "fingerprint"}
KEYS = STRONG | WEAK
MOST_BY_WEAK = 6  # orders that one weak key joins
LOCK = (3, 0)  # the advisory lock under which keys are taken away and groups change

SAME = """
SELECT link, order_id FROM orders_claimsignals AS other
WHERE other.{0} = orders_claimsignals.{0} AND other.{0} <> ''
"""
# Sorted by a sum, so that they are read by their key's index, which of fingerprints has the sum too: the planner would
# walk through all orders instead until it had met enough of them.
FIRST = f"""
(WITH few AS ({SAME} ORDER BY order_id + 0 LIMIT {MOST_BY_WEAK})
 SELECT * FROM few WHERE orders_claimsignals.order_id IN (SELECT order_id FROM few))
"""  # noqa: S608  # ours throughout
# Read by the address, which fewer have: a fingerprint with nothing appended, or said not to be empty, would be read by
# its own index, all of it where the plan was made before the sale.
BOTH = (
    SAME.format("address_key")
    + "AND other.print_key || '' = orders_claimsignals.print_key AND orders_claimsignals.print_key <> ''"
)
# Beside an order's signals: the first orders of the groups that its keys connect, its own with them. Everybody who
# shares something is looked at where the rows are; an address or a phone of a popular kind may be that of thousands.
GROUPS = f"""
ARRAY(SELECT coalesce(link, order_id) FROM (
    SELECT orders_claimsignals.link, orders_claimsignals.order_id
    UNION {" UNION ".join([*map(SAME.format, STRONG), *map(FIRST.format, WEAK), BOTH])}
) AS kin) AS groups
"""  # noqa: S608  # ours throughout

WRITE = """
UPDATE orders_claimsignals AS kept SET link = found.link
FROM unnest(%s::bigint[], %s::bigint[]) AS found (number, link)
WHERE kept.order_id = found.number
"""


class NotLinked(Refused):
    """The order has nothing of this kind that could link it."""

    code = "not_linked"


@dataclass(frozen=True)
class Edge:
    """Two orders, and all that joins them: words of KEYS."""

    first: int
    second: int
    why: tuple[str, ...]


def lock() -> None:
    """Whoever takes keys away or changes groups waits for its turn, which ends with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", LOCK)


def shared(rows: Iterable[ClaimSignals]) -> Iterator[tuple[tuple[str, ...], list[ClaimSignals]]]:
    """Whatever joins several of these orders: the names of the keys, and the orders, the first ones first."""
    holders: dict[tuple[str, ...], list[ClaimSignals]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.order_id):
        for name in KEYS:
            if key := getattr(row, name):
                holders[name, key].append(row)
        if all(weak := [getattr(row, name) for name in WEAK]):
            holders[*WEAK, *weak].append(row)
    for (name, *others), sharing in holders.items():
        names = tuple(WEAK) if len(others) > 1 else (name,)
        joined = sharing[:MOST_BY_WEAK] if name in WEAK and len(names) == 1 else sharing
        if len(joined) > 1:
            yield names, joined


def groups_of(rows: Iterable[ClaimSignals]) -> Mapping[int, int]:
    """The first order of each one's group, by order: union-find with path halving (Tarjan and van Leeuwen, 1984)."""
    rows = list(rows)
    above = {row.order_id: row.order_id for row in rows}

    def first(number: int) -> int:
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    for _, joined in shared(rows):
        for one, other in pairwise(joined):
            low, high = sorted((first(one.order_id), first(other.order_id)))
            above[high] = low
    return {number: first(number) for number in above}


def edges_of(rows: Iterable[ClaimSignals]) -> list[Edge]:
    """What holds a group together, as a chain through the orders that share something."""
    why: dict[tuple[int, int], list[str]] = defaultdict(list)
    for names, joined in shared(rows):
        for one, other in pairwise(joined):
            why[one.order_id, other.order_id] += [KEYS[name] for name in names]
    return [Edge(first, second, tuple(dict.fromkeys(words))) for (first, second), words in why.items()]


def join(signals: ClaimSignals) -> range:
    """Unite what this order connects; its signals were read with GROUPS, and its keys must be committed. Returns the
    sizes that a group passed by it, the smallest one where it united several.

    No query for an order that shares nothing. Of two that come at the same instant, one waits and sees the other.
    """
    if set(signals.groups) <= {signals.link or signals.order_id}:  # type: ignore[attr-defined]
        return range(0)
    with transaction.atomic():
        lock()
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {GROUPS} FROM orders_claimsignals WHERE order_id = %s", [signals.order_id])  # noqa: S608
            (groups,) = cursor.fetchone()
        united = ClaimSignals.objects.filter(Q(link__in=groups) | Q(order_id__in=groups))
        group = Coalesce("link", "order_id", output_field=BigIntegerField())
        sizes = dict(united.values_list(group).annotate(Count("pk")))
        signals.link = min(groups)
        united.exclude(link=signals.link).update(link=signals.link)
    others = [size for first, size in sizes.items() if (first, size) != (signals.order_id, 1)]
    return range(min(others, default=1) + 1, sum(sizes.values()) + 1)


def members(signals: ClaimSignals) -> "QuerySet[ClaimSignals]":
    """The orders of this one's group, the first one first; of an order by itself, itself."""
    group = Q(link=signals.link) if signals.link else Q(order_id=signals.order_id)
    return ClaimSignals.objects.filter(group).order_by("order_id")


def regroup(rows: "QuerySet[ClaimSignals]") -> set[int]:
    """Work out anew the groups of these orders, among whom must be all that share a weak key; says whose changed."""
    rows = rows.defer("raw")
    found = groups_of(rows)
    firsts = set(found.values())
    alone = firsts - {first for number, first in found.items() if number != first}
    links = {number: None if number in alone else first for number, first in found.items()}
    changed = {row.order_id: links[row.order_id] for row in rows if row.link != links[row.order_id]}
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [list(changed), list(changed.values())])
    return set(changed)


@transaction.atomic
def rebuild() -> int:
    """Work out all groups anew; says how many there are of more than one order."""
    lock()
    regroup(ClaimSignals.objects.all())
    return ClaimSignals.objects.exclude(link=None).values("link").distinct().count()


@transaction.atomic
def cut(*, number: int, kind: str, who: str, reason: str) -> set[int]:
    """Staff say that this order is not linked by its phone, its address, ...: the key is forgotten, its group falls
    apart where nothing else holds it, the seventh at its address moves up, and the journal tells. Returns the orders
    that were its group, itself included, and whoever is in another one now. Raises NotLinked, Order.DoesNotExist.
    """
    order = Order.objects.lock(number)
    lock()
    name = next((name for name, word in KEYS.items() if word == kind), None)
    signals = ClaimSignals.objects.filter(order=order).first()
    if name is None or signals is None or not getattr(signals, name):
        raise NotLinked(f"Order {number} is not linked by its {kind}.")
    linked = set(members(signals).values_list("order_id", flat=True))
    setattr(signals, name, "")
    signals.save(update_fields=[name])
    linked |= regroup(ClaimSignals.objects.all())
    order.record("link removed", actor=Actor.REVIEWER, who=who, cause=reason, kind=kind)
    order.commit()
    return linked
