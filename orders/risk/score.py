"""An order's score: how likely it is a reseller's, and why. It informs a person; it decides nothing."""

import logging
import traceback
from collections.abc import Collection, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from orders import clock
from orders.models import Order
from orders.risk import links, neighbours, registry, signals
from orders.risk.features import VERSION, Features, features_of, signed
from orders.risk.keys import token_key
from orders.risk.neighbours import Neighbours
from orders.risk.rules import HIGH, HIGHEST, MEDIUM, Assessment
from orders.states import CANCELLABLE, Level

logger = logging.getLogger(__name__)

REASONS = 3
NEUTRAL = 50  # of a score that could not be made
PATIENCE = "1s"  # for a query; a dozen at most, those for linked orders included, stand between an order and its page

# An order is scored again when a group it belongs to reaches one of these sizes: the steps grow with the group, so
# that all orders of a sale together cause about three more scores each, not one for each pair of them. The keys of a
# claim are there before anybody is scored, so it brought its groups to the size that is its rank. A card is known in
# the order of the payments, and an order may unite groups, which then pass several sizes.
GROWTH = frozenset({2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000})
LINKS = ("ip", "net", "domain", "block", "phone", "device", "card", "ticket", "link")

LEAST_REASON = 0.05  # of the logit; less than that moved nothing


@dataclass(frozen=True)
class Score:
    """0 to 99 with its level, the three strongest reasons, and the features that it saw."""

    score: int
    level: Level
    at: datetime | None = None  # whatever was known then, it saw
    reasons: list[dict[str, Any]] = field(default_factory=list)
    features: Features = field(default_factory=dict)
    degraded: bool = False
    cause: str = ""  # of being degraded
    model: str = ""  # its version, and that of the vector it saw
    challenger: dict[str, Any] | None = None  # version, score and level of the model that is tried beside
    grown: frozenset[int] = frozenset()  # orders of the groups that this one brought to a size in GROWTH

    @property
    def is_stand_in(self) -> bool:
        """Nothing was looked at."""
        return self.degraded and not self.features


def level_of(score: int, high: int = HIGH) -> Level:
    """low < 65 <= medium < 75 <= high, or as late as the model that scored says."""
    return Level.HIGH if score >= high else Level.MEDIUM if score >= MEDIUM else Level.LOW


# Planning a query took twice as long as running it. One plan does for all, as each reads by its keys whatever the
# statistics say; made while a sale is young, it must not read the whole table or all of one key, which are small only
# then. By the costs of a plan for any number of orders PostgreSQL may find it worth compiling.
BOUNDS = {
    "statement_timeout": PATIENCE,
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
}
BIND = "SELECT " + ", ".join(f"set_config('{name}', %s, true)" for name in BOUNDS)


@contextmanager
def with_patience() -> Iterator[None]:
    """Queries are planned once a session and read by index. Raises TimeoutError for one that takes too long; one that
    fails takes no surrounding transaction along."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(BIND, [*BOUNDS.values()])
            yield
            cursor.execute(BIND, [None] * len(BOUNDS))  # the session's own: released, a savepoint would keep ours
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TimeoutError from error  # the database is there
        raise


def score_order(order: Order, now: datetime) -> Score:
    """The order's score from everything known at `now`.

    A scorer that fails or takes too long never blocks an order: its score is then a neutral stand-in, marked as
    degraded. Only a lost database is the caller's, who could not save the score either and tries again; so does a
    step whose session was lost, though Django has found a new one by then.
    """
    try:
        with with_patience():
            kept = signed([order], links.GROUPS)
            passed = {size for each in kept.values() for size in links.join(each)}
            around = neighbours.find(kept.values(), drop_id=order.drop_id, now=now)
            score = assess(features_of([order], kept, around)[order.number])
            return replace(score, at=now, grown=grown_groups(order.number, around, passed))
    except Exception as error:
        return stand_in(error, order, now)


def score_with_card(order: Order, fingerprint: str) -> Score | None:
    """The score of an order whose payment told the card; None where that changes nothing. Fails like score_order.

    The card is known before anybody asks who has it: of two that are paid with it at the same instant, one sees the
    other. Test cards are everybody's, so they are not counted.
    """
    if not (fingerprint and settings.RISK_COUNTS_CARDS):
        return None
    card = token_key("card", fingerprint)
    try:
        with with_patience():
            signals.know_card(order, card)
    except Exception as error:
        return stand_in(error, order, clock.now())
    return score_order(order, clock.now()) if signals.shares_card(order, card) else None


def stand_in(error: Exception, order: Order, now: datetime) -> Score:
    """The score of an order that could not be scored. Raises the error where the database is lost."""
    report(error, order.number)
    cause = f"The scorer failed with {type(error).__name__}."
    return Score(score=NEUTRAL, level=level_of(NEUTRAL), at=now, degraded=True, cause=cause)


def rescore(numbers: Collection[int], drop_id: int) -> list[tuple[int, Score]]:
    """The undecided ones of these orders of one drop, by number, with their new scores where changed.

    An operator's first orders look innocent until the others come. Four queries at most, however many orders. Fails
    like score_order: then nobody is scored again.
    """
    if not numbers:
        return []
    try:
        now = clock.now()
        with with_patience():
            orders = list(
                Order.objects.filter(
                    number__in=numbers, drop_id=drop_id, state__in=CANCELLABLE, score__isnull=False
                ).order_by("number")
            )
            kept = signed(orders)
            around = neighbours.find(kept.values(), drop_id=drop_id, now=now)
            features = features_of(orders, kept, around)
            scores = [(order, replace(assess(features[order.number]), at=now)) for order in orders]
        return [(order.number, score) for order, score in scores if score.score != order.score]
    except Exception as error:
        report(error, min(numbers))
        return []


def grown_groups(number: int, around: Neighbours, passed: Set[int]) -> frozenset[int]:
    """The other orders of those groups that this order brought to a size in GROWTH: who shares an address, a phone, a
    private mail domain, an IP address, a network, ... with it. `passed` are the sizes that its linked ones passed."""
    grown: set[int] = set()
    if own := around.orders.get(number):
        for kind in LINKS:
            group = around.group(kind, getattr(own, kind))
            rank = group.rank(number)
            sizes = {"card": {len(group.members)}, "link": {rank, *passed}}.get(kind, {rank})
            if sizes & GROWTH:
                grown.update(member.number for member in group.members)
    return frozenset(grown - {number})


def assess(features: Features) -> Score:
    """The champion's opinion in the words of the desk, and beside it the challenger's number."""
    scorers = registry.scorers()
    model = scorers.champion.model
    assessment = model.assess(features)
    score = points(assessment)
    strongest = sorted(
        (
            (name, value)
            for name, value in assessment.contributions.items()
            if abs(value) >= LEAST_REASON and features.get(name) is not None
        ),
        key=lambda item: -abs(item[1]),
    )
    reasons = [
        {
            "feature": name,
            "value": round(features[name] or 0.0, 3),
            "contribution": round(contribution, 3),
            "text": model.explain(name, features[name] or 0.0),
        }
        for name, contribution in strongest[:REASONS]
    ]
    return Score(
        score=score,
        level=level_of(score, model.high),
        reasons=reasons,
        features=features,
        degraded=bool(scorers.champion.fault),
        cause=scorers.champion.fault,
        model=f"{scorers.champion.version}/{VERSION}",
        challenger=tried(scorers.challenger, features) if scorers.challenger else None,
    )


def tried(challenger: registry.Scorer, features: Features) -> dict[str, Any]:
    score = points(challenger.model.assess(features))
    return {"version": challenger.version, "score": score, "level": level_of(score, challenger.model.high)}


def points(assessment: Assessment) -> int:
    return round(HIGHEST * assessment.probability)


def report(error: Exception, number: int) -> None:
    """Type and place only: a message or a traceback could quote the customer. Raises the error where the database is
    lost; a full disk or a deadlock is an OperationalError, too."""
    if not connection.is_usable():
        raise error
    where = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("order %s not scored: %s at %s:%s", number, type(error).__name__, where.name, where.lineno)
