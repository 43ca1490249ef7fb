"""The orders of one sale that have something in common with given ones: read at once, by index, and counted here.

One query, whether for one order or for hundreds. It reads as many rows as there are neighbours, and the rest of the
sale not at all.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from django.db import connection

from orders.models import ClaimSignals
from orders.risk.keys import WIDER
from orders.risk.mailboxes import private_domain
from orders.risk.postal import Place, alike, place
from orders.states import Outcome, State

PAID = (State.AWAITING_APPROVAL, State.APPROVED, State.SHIPPED)
MOST_STREETS = 100  # spellings of one address that are compared; beyond that the count says enough
SAMPLE = 100  # about so many orders, evenly spread over a large sale, stand for all where a share is asked for

# Whoever shares an IP address shares its network, so that one arm finds both. "g" follows the last hexadecimal digit:
# from a prefix to the prefix with it is everything that begins with the prefix. The planner takes such a range for a
# tenth of the table, and a sale that its statistics do not know for a single row; OFFSET 0 keeps it from reading all of
# the table or the sale. What was found is read by its place, each once, however many ways lead there.
# Orders are numbered as they are claimed, so the n-th of a sale lies n after its first and nothing is counted. A claim
# that failed late leaves a gap, and two sales at once would count each other's. For the minimum of one drop's numbers
# the planner walks through those of all earlier ones, hence >=. The sample's step is odd: what comes in pairs shall not
# fall through it.
FIND = """
WITH found AS (
    SELECT ctid FROM orders_claimsignals WHERE order_id = ANY(%(orders)s::bigint[])
    UNION ALL
    SELECT ctid FROM unnest(%(nets)s::text[]) AS net, LATERAL (
        SELECT ctid, drop_id FROM orders_claimsignals WHERE net_key = net AND net_key <> '' OFFSET 0
    ) AS passengers WHERE drop_id = %(drop)s
    UNION ALL
    SELECT ctid FROM unnest(%(phones)s::text[]) AS phone, LATERAL (
        SELECT ctid, drop_id FROM orders_claimsignals WHERE phone_key = phone AND phone_key <> '' OFFSET 0
    ) AS callers WHERE drop_id = %(drop)s
    UNION ALL
    SELECT ctid FROM unnest(%(devices)s::text[]) AS device, LATERAL (
        SELECT ctid, drop_id FROM orders_claimsignals WHERE device_key = device AND device_key <> '' OFFSET 0
    ) AS users WHERE drop_id = %(drop)s
    UNION ALL
    SELECT ctid FROM unnest(%(cards)s::text[]) AS card, LATERAL (
        SELECT ctid, drop_id FROM orders_claimsignals WHERE card_key = card AND card_key <> '' OFFSET 0
    ) AS payers WHERE drop_id = %(drop)s
    UNION ALL
    SELECT ctid FROM unnest(%(tickets)s::text[]) AS ticket, LATERAL (
        SELECT ctid, drop_id FROM orders_claimsignals WHERE ticket_key = ticket AND ticket_key <> '' OFFSET 0
    ) AS workers WHERE drop_id = %(drop)s
    UNION ALL
    SELECT ctid FROM orders_claimsignals WHERE link = ANY(%(links)s::bigint[])
    UNION ALL
    SELECT ctid FROM unnest(%(blocks)s::text[]) AS prefix, LATERAL (
        SELECT ctid, drop_id FROM orders_claimsignals
        WHERE address_key >= prefix AND address_key < prefix || 'g' OFFSET 0
    ) AS residents WHERE drop_id = %(drop)s
    UNION ALL
    SELECT ctid FROM unnest(%(mailboxes)s::text[]) AS prefix, LATERAL (
        SELECT ctid, drop_id FROM orders_claimsignals
        WHERE email_key >= prefix AND email_key < prefix || 'g' OFFSET 0
    ) AS mailboxes WHERE drop_id = %(drop)s
),
sale AS (
    SELECT (
        SELECT order_id FROM orders_claimsignals WHERE drop_id >= %(drop)s ORDER BY drop_id, order_id LIMIT 1
    ) AS first, (
        SELECT order_id FROM orders_claimsignals WHERE drop_id <= %(drop)s ORDER BY drop_id DESC, order_id DESC LIMIT 1
    ) AS last
),
sample AS (
    SELECT header_key
    FROM sale, generate_series(first, last, (last - first) / %(sample)s | 1) AS number,
         LATERAL (SELECT * FROM orders_claimsignals WHERE order_id = number OFFSET 0) AS s
    WHERE drop_id = %(drop)s AND at <= %(now)s AND header_key <> ''
),
programs AS (SELECT header_key, count(*)::float / sum(count(*)) OVER () AS share FROM sample GROUP BY header_key)
SELECT s.order_id, extract(epoch FROM s.at)::float, s.ip_key, s.net_key, s.email_key, s.address_key, s.phone_key,
       s.device_key, s.card_key, s.header_key, s.ticket_key, coalesce(s.link::text, ''), s.drop_id,
       s.order_id - sale.first + 1, coalesce(programs.share, 0),
       o.customer_key, o.state, o.outcome, o.line1, o.line2, o.postcode, o.country
FROM sale, (SELECT * FROM orders_claimsignals WHERE ctid = ANY(ARRAY(SELECT ctid FROM found)) OFFSET 0) AS s
     LEFT JOIN programs USING (header_key),
     LATERAL (SELECT * FROM orders_order WHERE number = s.order_id OFFSET 0) AS o
WHERE s.at <= %(now)s
ORDER BY s.at, s.order_id
"""


class Neighbour(NamedTuple):
    number: int
    at: float  # seconds since 1970: a thousand rows of datetimes take longer to read than all the rest
    ip: str
    net: str
    mailbox: str
    address: str
    phone: str
    device: str
    card: str
    header: str
    ticket: str
    link: str
    drop_id: int
    rank: int  # in the sale
    header_share: float  # of the sale's claims with headers, those whose headers are in this order
    customer_key: str
    state: str
    outcome: str
    line1: str
    line2: str
    postcode: str
    country: str

    @property
    def customer(self) -> str:
        """Who comes back is one; an order without an address counts by itself."""
        return self.mailbox or str(self.number)

    @property
    def domain(self) -> str:
        return self.mailbox[:WIDER] if private_domain(self.customer_key) else ""

    @property
    def program(self) -> str:
        """The same program behind the same network."""
        return self.net + self.header if self.net and self.header else ""

    @property
    def block(self) -> str:
        return self.address[:WIDER]

    @property
    def place(self) -> Place:
        return place(line1=self.line1, line2=self.line2, postcode=self.postcode, country=self.country)


@dataclass
class Group:
    """Orders that share one key, in the order of their claims. A customer who comes back counts once.

    What is counted of all members is counted once, when it is asked for: a file may have ten thousand in one group.
    """

    members: list[Neighbour]

    @cached_property
    def last_claims(self) -> dict[str, float]:
        return {member.customer: member.at for member in self.members}

    @cached_property
    def times(self) -> list[float]:
        """When its customers claimed."""
        return sorted(self.last_claims.values())

    @cached_property
    def paid(self) -> frozenset[int]:
        return frozenset(member.number for member in self.members if member.state in PAID)

    @cached_property
    def rejected(self) -> frozenset[int]:
        return frozenset(member.number for member in self.members if member.outcome == Outcome.REJECTED)

    @cached_property
    def homes(self) -> dict[str, list[Neighbour]]:
        """Its members by their address."""
        homes = defaultdict(list)
        for member in self.members:
            homes[member.address].append(member)
        return dict(homes)

    @cached_property
    def streets(self) -> dict[str, str]:
        """The streets of its first addresses, by the address."""
        return {address: home[0].place.street for address, home in islice(self.homes.items(), MOST_STREETS)}

    @property
    def customers(self) -> int:
        return len(self.last_claims)

    def densest(self, at: datetime, span: timedelta) -> int:
        """Customers within `span` before or after this moment, whichever are more; an order counts itself."""
        now, seconds = at.timestamp(), span.total_seconds()
        before = bisect_right(self.times, now) - bisect_left(self.times, now - seconds)
        after = bisect_right(self.times, now + seconds) - bisect_left(self.times, now)
        return max(1, before, after)

    def rank(self, number: int) -> int:
        """Which member of the group this order was, from 1 on."""
        return next((rank for rank, member in enumerate(self.members, start=1) if member.number == number), 0)


class Neighbours:
    """Orders by number, and the groups of those `asked` about by kind and key, within the drop; by "link" they reach
    back to earlier ones."""

    def __init__(self, found: Iterable[Neighbour], drop_id: int, asked: Collection[int]) -> None:
        self.orders = {neighbour.number: neighbour for neighbour in found}
        self.asked = [self.orders[number] for number in asked if number in self.orders]
        self.here = [neighbour for neighbour in self.orders.values() if neighbour.drop_id == drop_id]
        self.at_home: dict[str, int] = {}
        self.kinds: dict[str, dict[str, Group]] = {}

    def groups(self, kind: str) -> dict[str, Group]:
        """Those who share something of this kind, by the key: an attribute of Neighbour."""
        if kind not in self.kinds:
            key_of = attrgetter(kind)
            sharing: dict[str, list[Neighbour]] = {key: [] for each in self.asked if (key := key_of(each))}
            there = [*self.orders.values()] if kind == "link" else self.here
            for key, neighbour in zip(map(key_of, there), there, strict=True) if sharing else ():
                if key in sharing:
                    sharing[key].append(neighbour)
            self.kinds[kind] = {key: Group(members) for key, members in sharing.items()}
        return self.kinds[kind]

    def group(self, kind: str, key: str) -> Group:
        return self.groups(kind).get(key) or Group([])

    def residents(self, address: str, street: str) -> int:
        """Customers at this address, and at those of its house number whose street is alike."""
        if address not in self.at_home:
            block = self.group("block", address[:WIDER])
            same = {address, *(other for other, theirs in block.streets.items() if alike(street, theirs))}
            self.at_home[address] = len({member.customer for each in same for member in block.homes.get(each, [])})
        return self.at_home[address]


def find(signals: Collection[ClaimSignals], *, drop_id: int, now: datetime) -> Neighbours:
    """These and who shares a network, a phone, a house number or a private mail domain with them, as known at `now`."""
    with connection.cursor() as cursor:
        cursor.execute(
            FIND,
            {
                "drop": drop_id,
                "now": now,
                "nets": list({each.net_key for each in signals} - {""}),
                "phones": list({each.phone_key for each in signals} - {""}),
                "devices": list({each.device_key for each in signals} - {""}),
                "orders": [each.order_id for each in signals],
                "tickets": list({each.ticket_key for each in signals} - {""}),
                "sample": SAMPLE,
                "cards": list({each.card_key for each in signals} - {""}),
                "links": list({each.link for each in signals if each.link}),
                "blocks": list({each.address_key[:WIDER] for each in signals} - {""}),
                "mailboxes": list({mailbox_range(each) for each in signals} - {""}),
            },
        )
        return Neighbours(map(Neighbour._make, cursor.fetchall()), drop_id, [each.order_id for each in signals])


def mailbox_range(signals: ClaimSignals) -> str:
    """Of a private domain all mailboxes, of a public one this mailbox only."""
    return signals.email_key[:WIDER] if private_domain(signals.order.customer_key) else signals.email_key
