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

from orders.risk.rules import RULES, Assessment, WeightedRules

FORMAT = 1


class BadModel(ValueError):
    """The file is not a model that this release can read."""


@dataclass(frozen=True)
class Term:
    """A feature: `scores[0]` where it is missing, `scores[1 + n]` from the n-th cut on."""

    cuts: tuple[float, ...]
    scores: tuple[float, ...]

    def contribution(self, value: float | None) -> float:
        return self.scores[0] if value is None else self.scores[1 + bisect_right(self.cuts, value)]


@dataclass(frozen=True)
class TableModel:
    """What the shop scores with. `version` is the artefact's own name, kept with each score."""

    version: str
    intercept: float
    terms: Mapping[str, Term]

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
        table = json.loads(path.read_text())
        if table["format"] != FORMAT:
            raise BadModel(f"{path.name} is of format {table['format']}")
        terms = {name: Term(tuple(term["cuts"]), tuple(term["scores"])) for name, term in table["terms"].items()}
        if any(len(term.scores) != len(term.cuts) + 2 or sorted(term.cuts) != [*term.cuts] for term in terms.values()):
            raise BadModel(f"{path.name} has a term whose scores do not fit its cuts")
        return TableModel(version=str(table["version"]), intercept=float(table["intercept"]), terms=terms)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise error if isinstance(error, BadModel) else BadModel(f"{path.name}: {type(error).__name__}") from error
