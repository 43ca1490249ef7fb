"""The protocol that judges a model, and the card that tells of it."""

from pathlib import Path
from typing import Any

import numpy as np

from orders.risk.model import TableModel
from orders.risk.rules import HIGH, WeightedRules
from orders.risk.training import ebm
from orders.risk.training.parameters import ATTACKS
from orders.risk.training.table import BadTable, Numbers, Table

BINS = 10


def judge(table: Table, *, seed: int, constrained: bool, compare: str | None) -> tuple[TableModel, dict[str, Any]]:
    """Learn from the earlier rows and judge by the last 30 %: the model, and its figures."""
    learning, test = table.split(ebm.TEST)
    if len(set(test.labels)) < 2:
        raise BadTable("the last 30 % by time have only one of the two labels")
    model = ebm.fit(learning, seed=seed, constrained=constrained)
    scores = ebm.probabilities(model, test)
    figures: dict[str, Any] = {
        "version": model.version,
        "data": table.digest,
        "rows": {"learning": len(learning.labels), "test": len(test.labels)},
        "hostile": {"learning": float(learning.labels.mean()), "test": float(test.labels.mean())},
        "model": ebm.figures(test.labels, scores),
        "high": {"from": model.high, "recall": reaching(model.high, scores[test.labels == 1])},
        "reliability": reliability(test, scores),
    }
    if compare:
        figures["lightgbm"] = ebm.figures(test.labels, ebm.lightgbm(learning, test, seed=seed))
    if table.groups:
        ruled = by_rules(test)
        figures["rules"] = ebm.figures(test.labels, ruled)
        figures["groups"] = genuine_groups(test, {"model": (scores, model.high), "rules": (ruled, HIGH)})
        figures["attacks"] = {
            attack: one_attack(test, scores, attack)
            | {"auc_left_out": left_out(learning, test, attack, seed=seed, constrained=constrained)}
            for attack in ATTACKS
        }
    return model, figures


def reliability(test: Table, scores: Numbers) -> list[dict[str, float]]:
    which = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        {"said": float(scores[which == n].mean()), "was": float(test.labels[which == n].mean()), "rows": int(rows)}
        for n in range(BINS)
        if (rows := (which == n).sum())
    ]


def by_rules(table: Table) -> Numbers:
    """What the rules say of the same rows."""
    rules, there = WeightedRules(), ~np.isnan(table.values)
    rows = zip(table.values, there, strict=True)
    names = np.array(table.names)
    return np.array([rules.assess(dict(zip(names[known], row[known], strict=True))).probability for row, known in rows])


def reaching(high: int, scores: Numbers) -> float:
    return float((ebm.points_of(scores) >= high).mean())


def genuine_groups(test: Table, scorers: dict[str, tuple[Numbers, int]]) -> dict[str, dict[str, float]]:
    """The share of people wrongly called high, in each kind of customer, by scorers: what each says, and its high."""
    groups = np.array(test.groups)
    kinds = {str(group): (groups == group) & (test.labels == 0) for group in sorted(set(groups[test.labels == 0]))}
    return {
        group: {"rows": int(inside.sum())}
        | {name: reaching(high, scores[inside]) for name, (scores, high) in scorers.items()}
        for group, inside in kinds.items()
    }


def one_attack(test: Table, scores: Numbers, attack: str) -> dict[str, float | None]:
    """This attack's orders against all genuine ones; few sales may have none."""
    theirs = np.array(test.groups) == attack
    rows = theirs | (test.labels == 0)
    found = ebm.figures(test.labels[rows], scores[rows]) if theirs.any() else {}
    return {"rows": int(theirs.sum())} | {name: found.get(name) for name in ("auc", "recall_at_1_percent_fpr")}


def left_out(learning: Table, test: Table, attack: str, *, seed: int, constrained: bool) -> float | None:
    """AUC on an attack that the model never saw; None where nothing can be learned without it."""
    try:
        model = ebm.fit(learning.rows(np.array(learning.groups) != attack), seed=seed, constrained=constrained)
    except (BadTable, ebm.Refused):
        return None
    return one_attack(test, ebm.probabilities(model, test), attack)["auc"]


def write_card(figures: dict[str, Any], out: Path) -> None:
    lines = [
        f"# Model {figures['version']}",
        "",
        f"Learned from {figures['rows']['learning']} rows, judged by the {figures['rows']['test']} that came last.",
        f"SHA-256 of the data: `{figures['data']}`. Hostile: {figures['hostile']['learning']:.1%} of the first,",
        f"{figures['hostile']['test']:.1%} of the last. High from a score of {figures['high']['from']} on, which"
        f" {figures['high']['recall']:.1%} of the hostile orders reach.",
        "",
        "| figure | "
        + " | ".join(names := [name for name in ("model", "lightgbm", "rules") if name in figures])
        + " |",
        "|---|" + "---|" * len(names),
        *(
            f"| {figure.replace('_', ' ')} | " + " | ".join(f"{figures[name][figure]:.4f}" for name in names) + " |"
            for figure in figures["model"]
        ),
    ]
    if "attacks" in figures:
        lines += [
            "", "## By attack", "", "| attack | orders | AUC | recall at 1 % FPR | AUC when left out of learning |",
            "|---|---|---|---|---|",
            *(
                f"| {attack} | {f['rows']} | {known(f['auc'])} | {known(f['recall_at_1_percent_fpr'])}"
                f" | {known(f['auc_left_out'])} |"
                for attack, f in figures["attacks"].items()
            ),
            "", "## People wrongly called high", "", "| customers | orders | by the model | by the rules |",
            "|---|---|---|---|",
            *(
                f"| {group} | {f['rows']} | {f['model']:.2%} | {f['rules']:.2%} |"
                for group, f in figures["groups"].items()
            ),
        ]  # fmt: skip
    lines += [
        "",
        "## Reliability",
        "",
        "![Reliability](reliability.png)",
        "",
        "| said | was | orders |",
        "|---|---|---|",
    ]
    lines += [f"| {row['said']:.3f} | {row['was']:.3f} | {row['rows']} |" for row in figures["reliability"]]
    (out / "default.md").write_text("\n".join(lines) + "\n")
    plot(figures, out / "reliability.png")


def known(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


def plot(figures: dict[str, Any], file: Path) -> None:
    from matplotlib.figure import Figure

    picture = Figure(figsize=(5, 5), dpi=80)
    axes = picture.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    rows = figures["reliability"]
    axes.plot([row["said"] for row in rows], [row["was"] for row in rows], marker="o")
    axes.set(xlabel="what the score said", ylabel="what it was", xlim=(0, 1), ylim=(0, 1), title=figures["version"])
    picture.savefig(file, metadata={"Software": None})
