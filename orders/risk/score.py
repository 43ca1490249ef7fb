"""An order's score: how likely it is a reseller's, and why. It informs a person; it decides nothing."""

import logging
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from orders.models import Order
from orders.risk import links, neighbours, registry
from orders.risk.features import VERSION, Features, features_of, signed
from orders.risk.neighbours import Neighbours
from orders.risk.rules import Assessment
from orders.states import CANCELLABLE, Level

logger = logging.getLogger(__name__)

MEDIUM, HIGH = 65, 75
HIGHEST = 99
REASONS = 3
NEUTRAL = 50  # of a score that could not be made
PATIENCE = "1s"  # for a query; a dozen at most, those for linked orders included, stand between an order and its page

# An order is scored again when a group it belongs to reaches one of these sizes: the steps grow with the group, so
# that all orders of a sale together cause about three more scores each, not one for each pair of them.
GROWTH = frozenset({2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000})
LINKS = ("ip", "net", "domain", "block", "phone", "device", "card", "ticket", "link")

LEAST_REASON = 0.05  # of the logit; less than that moved nothing


@dataclass(frozen=True)
class Score:
    """0 to 99 with its level, the three strongest reasons, and the features that it saw."""

    score: int
    level: Level
    reasons: list[dict[str, Any]] = field(default_factory=list)
    features: Features = field(default_factory=dict)
    degraded: bool = False
    cause: str = ""  # of being degraded
    model: str = ""  # its version, and that of the vector it saw
    challenger: dict[str, Any] | None = None  # version and score of the model that is tried beside
    grown: frozenset[int] = frozenset()  # orders of the groups that this one brought to a size in GROWTH


def level_of(score: int) -> Level:
    """low < 65 <= medium < 75 <= high."""
    return Level.HIGH if score >= HIGH else Level.MEDIUM if score >= MEDIUM else Level.LOW


@contextmanager
def with_patience() -> Iterator[None]:
    """Raises TimeoutError for a query that takes too long. One that fails takes no surrounding transaction along."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [PATIENCE])
            yield
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")  # released, a savepoint would leave it as it is
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TimeoutError from error  # the database is there
        raise


def score_order(order: Order, now: datetime) -> Score:
    """The order's score from everything known at `now`.

    A scorer that fails or takes too long never blocks an order: its score is then a neutral stand-in, marked as
    degraded. Only a lost database (OperationalError, InterfaceError) is the caller's, who could not save the score
    either and tries again.
    """
    try:
        with with_patience():
            kept = signed([order])
            for signals in kept.values():
                links.join(signals)
            around = neighbours.find(kept.values(), drop_id=order.drop_id, now=now)
            score = assess(features_of([order], kept, around)[order.number])
            return replace(score, grown=grown_groups(order.number, around))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        report(error, order.number)
        cause = f"The scorer failed with {type(error).__name__}; the score is a stand-in."
        return Score(score=NEUTRAL, level=level_of(NEUTRAL), degraded=True, cause=cause)


def rescore(numbers: Collection[int], drop_id: int, now: datetime) -> list[tuple[int, Score]]:
    """The undecided ones of these orders of one drop, by number, with their new scores where changed.

    An operator's first orders look innocent until the others come. Three queries at most, however many orders. Fails
    like score_order: then nobody is scored again.
    """
    if not numbers:
        return []
    try:
        with with_patience():
            orders = list(
                Order.objects.filter(
                    number__in=numbers, drop_id=drop_id, state__in=CANCELLABLE, score__isnull=False
                ).order_by("number")
            )
            kept = signed(orders)
            around = neighbours.find(kept.values(), drop_id=drop_id, now=now)
            features = features_of(orders, kept, around)
            scores = [(order, assess(features[order.number])) for order in orders]
        return [(order.number, score) for order, score in scores if score.score != order.score]
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        report(error, min(numbers))
        return []


def grown_groups(number: int, around: Neighbours) -> frozenset[int]:
    """The other orders of those groups that this order brought to a size in GROWTH: who shares an address, a phone, a
    private mail domain, an IP address, a network, ... with it."""
    groups = (group for kind in LINKS for group in around.groups[kind].values() if group.rank(number) in GROWTH)
    return frozenset(member.number for group in groups for member in group.members) - {number}


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
        level=level_of(score),
        reasons=reasons,
        features=features,
        degraded=bool(scorers.champion.fault),
        cause=scorers.champion.fault,
        model=f"{scorers.champion.version}/{VERSION}",
        challenger={"version": scorers.challenger.version, "score": points(scorers.challenger.model.assess(features))}
        if scorers.challenger
        else None,
    )


def points(assessment: Assessment) -> int:
    return round(HIGHEST * assessment.probability)


def report(error: Exception, number: int) -> None:
    """Type and place only: a message or a traceback could quote the customer."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("order %s not scored: %s at %s:%s", number, type(error).__name__, where.name, where.lineno)
