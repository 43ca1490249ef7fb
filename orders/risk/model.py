"""The trained model as a table that plain Python scores: a number for each feature's bin, added up.

It is an Explainable Boosting Machine without interactions (Lou et al., KDD 2012; trained with interpret-core), so the
contributions are the model and not an approximation of it. `orders.risk.training` writes the table.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orders.risk.rules import HIGH, RULES, Assessment, WeightedRules

FORMAT = 2


class BadModel(ValueError):
    """The file is not a model that this release can read."""


@dataclass(frozen=True)
class Term:
    """A feature's bins: the first is of missing values, the others begin at the cuts. `shares` of the rows that it was
    learned from lay in each."""

    cuts: tuple[float, ...]
    scores: tuple[float, ...]
    shares: tuple[float, ...] = ()

    def bin(self, value: float | None) -> int:
        return 0 if value is None else 1 + bisect_right(self.cuts, value)

    def contribution(self, value: float | None) -> float:
        return self.scores[self.bin(value)]

    def fits(self) -> bool:
        bins = len(self.cuts) + 2
        return len(self.scores) == len(self.shares) == bins and sorted(self.cuts) == [*self.cuts]


@dataclass(frozen=True)
class TableModel:
    """What the shop scores with. `version` is the artefact's own name, kept with each score."""

    version: str
    intercept: float
    terms: Mapping[str, Term]
    high: int = HIGH

    def assess(self, features: Mapping[str, float | None]) -> Assessment:
        """A rule stands in for a feature that the training data do not have, such as the field for traps."""
        contributions = {"base": self.intercept}
        contributions |= {name: term.contribution(features.get(name)) for name, term in self.terms.items()}
        contributions |= {
            name: rule.contribution(value)
            for name, rule in RULES.items()
            if name not in self.terms and (value := features.get(name)) is not None
        }
        return Assessment(logit=math.fsum(contributions.values()), contributions=contributions)

    def explain(self, feature: str, value: float) -> str:
        return WeightedRules().explain(feature, value) if feature in RULES else f"{feature} is {value:.3g}"


def load(path: Path) -> TableModel:
    """Raises BadModel, whatever is wrong with the file."""
    try:
        return read(json.loads(path.read_text()))
    except (OSError, ValueError, RecursionError) as error:
        raise BadModel(f"{path.name}: {error if isinstance(error, BadModel) else type(error).__name__}") from error


def read(table: Any) -> TableModel:
    """Raises BadModel."""
    try:
        if table["format"] != FORMAT:
            raise BadModel(f"it is of format {table['format']}")
        terms = {
            name: Term(numbers(term["cuts"]), numbers(term["scores"]), numbers(term["shares"]))
            for name, term in table["terms"].items()
        }
        if any(not term.fits() for term in terms.values()):
            raise BadModel("it has a term whose scores do not fit its cuts")
        intercept, high = numbers([table["intercept"], table.get("high", HIGH)])  # an older file has none
        if high < HIGH:
            raise BadModel(f"it says high from {high} on, below {HIGH}")
        return TableModel(version=str(table["version"]), intercept=intercept, terms=terms, high=int(high))
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BadModel(type(error).__name__) from error


def numbers(values: Any) -> tuple[float, ...]:
    """Raises BadModel for anything else: it would fail with the first order, or be no score."""
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise BadModel("it has something that is no number")
    return tuple(values)
