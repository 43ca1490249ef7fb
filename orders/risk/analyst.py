"""Has a language model put a score into words, where QS_ANALYST_URL names one.

It is shown numbers and words of our own, never a customer's text, so that no customer can instruct it.
"""

from typing import Any

import structlog

from orders.models import Evidence, Order
from orders.risk.rules import RULES
from orders.states import Level

log = structlog.get_logger("orders")


def facts_of(order: Order) -> dict[str, Any]:
    """All that a language model is shown: numbers of features that have a rule, a level, the score."""
    evidence: Evidence = order.evidence
    return {
        "score": int(order.score or 0),
        "level": Level(order.level).value,
        "degraded": bool(order.score_degraded),
        "features": {name: float(value) for name in RULES if (value := evidence.features.get(name)) is not None},
        "contributions": {
            reason["feature"]: float(reason["contribution"])
            for reason in evidence.reasons
            if reason["feature"] in RULES
        },
    }


def ask(order: Order) -> dict[str, Any] | None:
    """A language model's words as Evidence keeps them; None where there is no good answer, for whatever reason."""
    try:
        from orders.risk import language_model  # only the analyst's own process has what it imports

        facts = facts_of(order)
        return {**language_model.explain(facts), "score": facts["score"]}
    except Exception as error:  # the reviewer has the shop's own words, and the order is none the worse
        log.warning("the language model explained nothing", error=type(error).__name__)
        return None
