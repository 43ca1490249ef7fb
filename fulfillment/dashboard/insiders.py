"""Who approves orders that belong together: a reviewer may be the friend of a reseller (attack A6).

Households and halls are linked by their address, so only what a strong key joins is grave: in a simulated sale that was
3.6 % of the genuine orders in groups of three customers and more, against 31 % with the address.

Nothing here accuses anybody. An approval is flagged, with its reasons in words, for a person to look at; see
docs/dashboard.md.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from math import comb
from typing import Any

from fulfillment.models import Decision
from fulfillment.reasons import INNOCENT, Verdict
from orders.models import ClaimSignals, Drop
from orders.risk import links
from orders.states import Level

GROUP, LARGE = 3, 5  # customers; two are often a couple, and each of them may have a pair
LEAST = 5  # decisions on linked orders, of the reviewer and of the colleagues, before they are compared
UNLIKELY = 0.01  # two-sided p below which a reviewer stands out


@dataclass(frozen=True)
class Word:
    """A standing decision on an order of a linked group.

    `group` is the group's first order; `core` the first of those in it that a strong key joins, such as a phone.
    """

    order: int
    reviewer: str
    verdict: str
    reason: str
    level: str
    at: datetime
    group: int
    core: int

    @property
    def approves(self) -> bool:
        return self.verdict == Verdict.APPROVE

    @property
    def suspects(self) -> bool:
        return not self.approves and self.reason not in INNOCENT


@dataclass(frozen=True)
class Flag:
    """An approval that somebody else should look at; a grave one today."""

    word: Word
    customers: int
    grave: bool
    why: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """A reviewer's approvals among their decisions on linked orders, beside those of all colleagues."""

    reviewer: str
    approved: int
    decided: int
    others_approved: int
    others_decided: int
    flagged: int

    @cached_property
    def p(self) -> float | None:
        """How likely so great a difference is by chance; None where there is too little to compare."""
        if min(self.decided, self.others_decided) < LEAST:
            return None
        return fisher(self.approved, self.decided, self.others_approved, self.others_decided)

    @property
    def stands_out(self) -> bool:
        """Approves linked orders more often than the colleagues do, and not by chance."""
        more = self.approved * self.others_decided > self.others_approved * self.decided
        return more and self.p is not None and self.p < UNLIKELY


@dataclass(frozen=True)
class Watch:
    flags: list[Flag]  # the grave ones first, of these the latest
    comparisons: list[Comparison]  # who has most flags first

    @property
    def grave(self) -> list[Flag]:
        return [flag for flag in self.flags if flag.grave]

    @property
    def standing_out(self) -> list[str]:
        return [one.reviewer for one in self.comparisons if one.stands_out]


def watch_of_the_minute(drop: Drop) -> Watch:
    """As `watch`, made once a minute however many dashboards are open. For a drop with its `now`."""
    return watch_at(drop, drop.now.replace(second=0, microsecond=0))


@lru_cache(maxsize=1)
def watch_at(drop: Drop, _minute: datetime) -> Watch:
    return watch(drop)


def watch(drop: Drop) -> Watch:
    """Of the drop's linked groups, with their orders of earlier drops. Two queries."""
    here = ClaimSignals.objects.filter(drop=drop, link__isnull=False).values("link")
    rows = list(ClaimSignals.objects.filter(link__in=here).values("order_id", "link", *links.STRONG))
    decisions: Any = Decision.objects.filter(withdrawn_at__isnull=True, order__signals__link__in=here).values_list(
        "order", "reviewer__username", "verdict", "reason", "level", "decided_at"
    )
    core = links.groups_of(ClaimSignals(**row, **dict.fromkeys(links.WEAK, "")) for row in rows)
    group = {row["order_id"]: row["link"] for row in rows}
    mailboxes: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in rows:
        mailboxes["group", row["link"]].add(row["email_key"])
        mailboxes["core", core[row["order_id"]]].add(row["email_key"])
    customers = {key: len(found) for key, found in mailboxes.items()}
    # An order that was linked between the two queries is looked at the next time.
    words = [Word(*(*row, group[row[0]], core[row[0]])) for row in decisions if row[0] in core]
    flags = flags_of(words, customers)
    return Watch(flags, compare([word for word in words if customers["core", word.core] >= GROUP], flags))


def flags_of(words: Sequence[Word], customers: Mapping[tuple[str, int], int]) -> list[Flag]:
    """`customers` of each group and of each core, by the words' names for them."""
    groups: dict[tuple[str, int], list[Word]] = defaultdict(list)
    for word in words:
        groups["group", word.group].append(word)
        groups["core", word.core].append(word)
    flags = []
    for word in filter(lambda word: word.approves, words):
        group, core = ("group", word.group), ("core", word.core)
        grave = against(word, groups[group])
        if word.level == Level.HIGH:
            grave.append("its score was high")
        grave += several(word, groups[core], customers[core], "a phone, a card, a browser or a mailbox")
        minor = [] if grave else several(word, groups[group], customers[group], "an address or a kind of browser")
        if grave or minor:
            flags.append(Flag(word, customers[group], bool(grave), (*grave, *minor)))
    return sorted(flags, key=lambda flag: (flag.grave, flag.word.at), reverse=True)


def against(word: Word, group: Iterable[Word]) -> list[str]:
    """Colleagues suspected others of the group; a second reviewer who rejects this very order is no such thing."""
    suspected = [other for other in group if other.suspects and other.order != word.order]
    rejected = [other for other in suspected if other.reviewer != word.reviewer]
    names = ", ".join(sorted({other.reviewer for other in rejected}))
    return [f"{names} rejected {len({other.order for other in rejected})} of its group"] if rejected else []


def several(word: Word, group: Iterable[Word], customers: int, joined_by: str) -> list[str]:
    """The same reviewer approved more than one of a group, or one of a large group."""
    own = {other.order for other in group if other.approves and other.reviewer == word.reviewer}
    if customers >= LARGE or (customers >= GROUP and len(own) > 1):
        orders = "1 order" if len(own) == 1 else f"{len(own)} orders"
        return [f"{word.reviewer} approved {orders} of {customers} customers joined by {joined_by}"]
    return []


def compare(words: Iterable[Word], flags: Iterable[Flag]) -> list[Comparison]:
    decided, approved = Counter[str](), Counter[str]()
    for word in words:
        decided[word.reviewer] += 1
        approved[word.reviewer] += word.approves
    flagged = Counter(flag.word.reviewer for flag in flags)
    compared = [
        Comparison(
            reviewer,
            approved[reviewer],
            decided[reviewer],
            approved.total() - approved[reviewer],
            decided.total() - decided[reviewer],
            flagged[reviewer],
        )
        for reviewer in {*decided, *flagged}
    ]
    return sorted(compared, key=lambda one: (-one.flagged, one.reviewer))


def fisher(approved: int, decided: int, others_approved: int, others_decided: int) -> float:
    """Fisher's exact test (1922), two-sided: the share of all tables with these sums that are no likelier than this."""
    total = approved + others_approved
    least, most = max(0, total - others_decided), min(total, decided)
    ways = [comb(decided, least) * comb(others_decided, total - least)]
    for n in range(least, most):  # each by its ratio to the one before: thousands of large binomials take a second
        ways.append(ways[-1] * (decided - n) * (total - n) // ((n + 1) * (others_decided - total + n + 1)))
    return sum(way for way in ways if way <= ways[approved - least]) / sum(ways)
