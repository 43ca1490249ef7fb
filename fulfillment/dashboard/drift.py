"""Does the score still know its customers: what the drop's orders look like, and what another model says of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from orders.models import Drop, Evidence
from orders.risk.drift import Drift, distribution, drift_of
from orders.risk.model import TableModel
from orders.risk.score import level_of
from orders.states import Level

HOUR = timedelta(hours=1)
MOST_HOURS = 48  # of the sale that are drawn, the last ones
MOST_ORDERS = 5_000  # that are read, the last ones: each comes with all its features
MOST_DISSENT = 5


@dataclass(frozen=True)
class Opinions:
    """One order, and the scores that the champion and the challenger give it."""

    order: int
    champion: int
    challenger: int
    levels: tuple[Level, Level]

    @property
    def apart(self) -> int:
        return abs(self.champion - self.challenger)


@dataclass(frozen=True)
class Agreement:
    """Of the champion with one challenger, on the orders that both have scored."""

    version: str
    opinions: Sequence[Opinions]

    @property
    def same_level(self) -> float:
        """Share of the orders."""
        return sum(ours == theirs for ours, theirs in (one.levels for one in self.opinions)) / len(self.opinions)

    @property
    def apart(self) -> float:
        """Points on average."""
        return sum(one.apart for one in self.opinions) / len(self.opinions)

    @property
    def levels(self) -> list[tuple[Level, list[int]]]:
        """For each level of the champion, the highest first: orders by the challenger's level."""
        counts = Counter(one.levels for one in self.opinions)
        high_first = list(reversed(Level))
        return [(ours, [counts[ours, theirs] for theirs in high_first]) for ours in high_first]

    @property
    def dissent(self) -> list[Opinions]:
        """The orders on which they differ most."""
        differing = [one for one in self.opinions if one.apart]
        return sorted(differing, key=lambda one: (-one.apart, one.order))[:MOST_DISSENT]


@dataclass(frozen=True)
class Scored:
    """The drop's orders, the last MOST_ORDERS of them, as their scores saw them."""

    orders: int
    drifts: Sequence[Drift]
    by_hour: dict[int, list[int]]  # of the sale, from 0 on, without the hours in which nobody ordered
    agreements: Sequence[Agreement]


def scored(drop: Drop, reference: TableModel | None) -> Scored:
    """One query."""
    rows: list[Any] = list(
        Evidence.objects.filter(order__drop=drop, order__score__isnull=False)
        .order_by("-order")
        .values_list("order", "features", "challenger", "order__score", "order__level", "order__created_at")[
            :MOST_ORDERS
        ]
    )
    hours: dict[int, Counter[int]] = defaultdict(Counter)
    for _, _, _, score, _, created_at in rows:
        hours[(created_at - drop.opens_at) // HOUR][score] += 1
    return Scored(
        orders=len(rows),
        drifts=drift_of(reference, [features for _, features, *_ in rows if features]) if reference else [],
        by_hour={hour: distribution(hours[hour]) for hour in sorted(hours)[-MOST_HOURS:]},
        agreements=agreements(
            (number, challenger, score, Level(level)) for number, _, challenger, score, level, _ in rows if challenger
        ),
    )


def agreements(rows: Iterable[tuple[int, dict[str, Any], int, Level]]) -> list[Agreement]:
    opinions: dict[str, list[Opinions]] = defaultdict(list)
    for number, challenger, score, level in rows:
        theirs = Level(challenger.get("level") or level_of(challenger["score"]))  # earlier releases kept no level
        opinions[challenger["version"]].append(Opinions(number, score, challenger["score"], (level, theirs)))
    return [Agreement(version, judged) for version, judged in opinions.items()]
