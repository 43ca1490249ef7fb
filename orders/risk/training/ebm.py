"""Fitting, judging and writing the model."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from interpret.glassbox import ExplainableBoostingClassifier
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from orders.risk.model import FORMAT, TableModel, Term
from orders.risk.rules import HIGH, HIGHEST
from orders.risk.training.table import BadTable, Numbers, Table

TEST, VALIDATION = 0.3, 0.2  # shares by time: of all, and of what is left
# Not those of the network: households, offices and carriers share addresses, and operators take care not to.
RISING = frozenset(
    {
        "address_sale", "link_size", "link_rejected", "phone_sale", "email_domain", "domain_1h", "device_sale",
        "device_1h", "card_sale",
        "email_disposable", "script_client", "headers_missing", "contradictions", "foreign_clock",
    }
)  # fmt: skip
FALLING = frozenset(["page_to_submit"])
# Share of each kind of customer that may be called high in sales that were not learned from: half of what is promised
# to them (0.5 %), because the sales to come are others.
WRONGLY_HIGH = 0.0025
BAGS = 8  # models that are averaged
# Of the table: the same on every machine, and a diff that can be read.
DECIMALS = 6
SIGNIFICANT = 9  # digits of a cut: a column may be tiny
# AUC; assumed. A logistic regression may be better by TOLERANCE by chance, and one below BLIND found nothing: then a
# model that says the same of everybody is right.
TOLERANCE, BLIND = 0.02, 0.6


class Refused(ValueError):
    """The model is worse than a logistic regression by more than TOLERANCE; it must not be shipped."""


def fit(table: Table, *, seed: int, constrained: bool) -> TableModel:
    """Learn from the earlier rows, and check what would be shipped against a logistic regression on the last ones.

    Each of the averaged models leaves out a part of the time, in which it sees when to stop, and what it says there
    calibrates them all, and says from which score on a level is high: rows of a sale that was learned from would make
    it too sure of the next one.
    Raises Refused, BadTable.
    """
    learning, validation = table.split(VALIDATION)
    if min(len(set(learning.labels)), len(set(validation.labels))) < 2:
        raise BadTable("there are too few rows of one label, or they all come first or last")
    names = [name for name in table.names if varies(learning.columns([name]), constrained=constrained)]
    if not names:
        raise BadTable("every column has one and the same value in all rows")
    machine = ExplainableBoostingClassifier(
        feature_names=names,
        interactions=0,
        outer_bags=BAGS,
        max_bins=128,
        reg_lambda=1.0,  # without it rare positives diverge: AUC 0.595 instead of 0.919, see docs/decisions/0009
        monotone_constraints=[(name in RISING) - (name in FALLING) if constrained else 0 for name in names],
        random_state=seed,
        n_jobs=-1,
    )
    left_out = np.arange(len(learning.labels)) * BAGS // len(learning.labels)  # by which of the models
    bags = np.where(left_out[:, None] == np.arange(BAGS), -1, 1).astype(np.int8)
    machine.fit(learning.columns(names), learning.labels, sample_weight=learning.weights, bags=bags)
    unseen = np.concatenate(
        [logits(export(machine, names, bag), learning.rows(left_out == bag)) for bag in range(BAGS)]
    )
    platt = LogisticRegression(C=1e6).fit(unseen.reshape(-1, 1), learning.labels)
    slope, shift = max(float(platt.coef_[0, 0]), 0.0), float(platt.intercept_[0])
    model = calibrated(
        export(machine, names),
        slope=slope,
        shift=shift,
        table=table,
        high=least_high(learning, probabilities_of(slope * unseen + shift)),
    )
    line = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), LogisticRegression(max_iter=1000)
    ).fit(learning.values, learning.labels)
    ours, theirs = (
        roc_auc_score(validation.labels, each)
        for each in (logits(model, validation), line.predict_proba(validation.values)[:, 1])
    )
    if ours < theirs - TOLERANCE and theirs > BLIND:
        raise Refused(f"AUC {ours:.3f} on the validation part, a logistic regression has {theirs:.3f}")
    return model


def varies(column: Numbers, *, constrained: bool) -> bool:
    """Is there something to learn of this column? One of the shop's own features with a single value leaves its rule in
    place; elsewhere that a value is there may be all it says.
    """
    return len(np.unique(column[~np.isnan(column)] if constrained else column)) > 1


def export(machine: ExplainableBoostingClassifier, names: list[str], bag: int | None = None) -> TableModel:
    """The average of the models, or one of them."""
    if bag is None:
        intercept, learned = machine.intercept_, machine.term_scores_
    else:
        intercept, learned = machine.bagged_intercept_[[bag]], [scores[bag] for scores in machine.bagged_scores_]
    terms = {}
    for (index,), scores in zip(machine.term_features_, learned, strict=True):
        cuts = [float(cut) for cut in machine.bins_[index][0]]
        terms[names[index]] = Term(tuple(cuts), tuple(float(score) for score in scores[: len(cuts) + 2]))
    return TableModel("", float(np.ravel(intercept)[0]), terms)


def least_high(table: Table, scores: Numbers) -> int:
    """The least score, HIGH or above it, that no more than WRONGLY_HIGH of any kind of customer reach: over all, those
    who share addresses would pay for the others. `scores` are probabilities.
    """
    genuine = table.labels == 0
    groups = np.array(table.groups or [""] * len(genuine))
    kinds = [points_of(scores[genuine & (groups == group)]) for group in sorted(set(groups[genuine]))]
    return max([HIGH, *(int(np.quantile(kind, 1 - WRONGLY_HIGH, method="higher")) + 1 for kind in kinds)])


def points_of(scores: Numbers) -> Numbers:
    """As score.points, for many rows at once."""
    return np.round(HIGHEST * scores)


def calibrated(model: TableModel, *, slope: float, shift: float, table: Table, high: int = HIGH) -> TableModel:
    """Platt's line over the logit, folded into every number, so that the contributions still add up to it."""
    terms = {
        name: Term(
            tuple(float(f"{cut:.{SIGNIFICANT}g}") for cut in term.cuts),
            tuple(round(slope * score, DECIMALS) + 0.0 for score in term.scores),
            shares(term, table.values[:, table.names.index(name)]),
        )
        for name, term in model.terms.items()
    }
    intercept = round(slope * model.intercept + shift, DECIMALS)
    return named(TableModel("", intercept, terms, high))


def named(model: TableModel) -> TableModel:
    """Its version is the SHA-256 of all its numbers: two models of one version are the same."""
    return replace(model, version=hashlib.sha256(json.dumps(asdict(model)).encode()).hexdigest()[:12])


def shares(term: Term, column: Numbers) -> tuple[float, ...]:
    """Of the rows in each bin: what drift is measured against."""
    rows = np.bincount(bins_of(term, column), minlength=len(term.scores))
    return tuple(round(float(share), DECIMALS) for share in rows / len(column))


def bins_of(term: Term, column: Numbers) -> NDArray[np.intp]:
    """As Term.bin, for a column."""
    missing = np.isnan(column)
    filled = np.where(missing, 0, column)
    return np.where(missing, 0, 1 + np.searchsorted(np.array(term.cuts), filled, side="right"))


def logits(model: TableModel, table: Table) -> Numbers:
    """As the shop computes them, for many rows at once."""
    total = np.full(len(table.labels), model.intercept)
    for name, term in model.terms.items():
        total += np.array(term.scores)[bins_of(term, table.values[:, table.names.index(name)])]
    return total


def probabilities(model: TableModel, table: Table) -> Numbers:
    return probabilities_of(logits(model, table))


def probabilities_of(logits: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


def figures(labels: NDArray[np.int64], scores: Numbers) -> dict[str, float]:
    """What the card tells of one set of rows; `scores` are probabilities."""
    fpr, tpr, _ = roc_curve(labels, scores)
    return {
        "auc": float(roc_auc_score(labels, scores)),
        "average_precision": float(average_precision_score(labels, scores)),
        "recall_at_1_percent_fpr": float(tpr[fpr <= 0.01].max()),
        "recall_at_0.1_percent_fpr": float(tpr[fpr <= 0.001].max()),
        "calibration_error": calibration_error(labels, scores),
    }


def calibration_error(labels: NDArray[np.int64], scores: Numbers, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width (Naeini et al., AAAI 2015)."""
    which = np.minimum((scores * bins).astype(int), bins - 1)
    error = 0.0
    for n in range(bins):
        inside = which == n
        if inside.any():
            error += inside.mean() * abs(scores[inside].mean() - labels[inside].mean())
    return float(error)


def lightgbm(learning: Table, test: Table, *, seed: int) -> Numbers:
    """What everybody would use instead, with its default settings."""
    from lightgbm import LGBMClassifier

    other = LGBMClassifier(random_state=seed, verbosity=-1).fit(learning.values, learning.labels)
    said = np.asarray(other.predict_proba(test.values))
    return np.asarray(said[:, 1])


def write(model: TableModel, file: Path) -> None:
    table = {"format": FORMAT, "version": model.version} | asdict(model)
    file.write_text(json.dumps(table, indent=1) + "\n")
