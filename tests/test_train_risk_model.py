"""The training: any labelled table, a protocol that can disappoint, and sales that are not easy."""

import csv
import json
import random
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from sklearn.metrics import roc_auc_score

from orders.risk.model import TableModel, Term, load
from orders.risk.rules import HIGH, RULES
from orders.risk.training.card import known, left_out, one_attack
from orders.risk.training.ebm import calibrated, fit, least_high, probabilities, write
from orders.risk.training.parameters import ATTACKS, GENUINE_GROUPS
from orders.risk.training.sales import Sale
from orders.risk.training.simulated import simulated
from orders.risk.training.table import BadTable, Table, read_table


def trained(folder, *options):
    out = StringIO()
    call_command("train_risk_model", "--out", str(folder), *options, "--json", stdout=out)
    return json.loads(out.getvalue())


def table(folder, rows=3000, *, shuffled=False, seed=1):
    """What two columns out of four say about the label; cells are missing, and time runs through the file backwards."""
    dice = random.Random(seed)
    file = folder / "table.csv"
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["amount", "strange name", "noise", "fraud", "empty", "when"])
        for n in range(rows):
            amount, noise = dice.gauss(0, 1), dice.random()
            likely = 1 / (1 + np.exp(-(3 * abs(amount) - 4)))
            label = dice.randint(0, 1) if shuffled else int(dice.random() < likely)
            writer.writerow([amount if dice.random() < 0.9 else "", n % 7, noise, label, "", rows - n])
    return file


def test_any_labelled_table_is_learned_from_and_compared(tmp_path):
    words = ("--data", str(table(tmp_path)), "--label", "fraud", "--time", "when", "--compare", "lightgbm")
    figures = trained(tmp_path / "out", *words)
    assert figures["model"]["auc"] > 0.8
    assert set(figures["lightgbm"]) == set(figures["model"]) >= {"auc", "average_precision", "recall_at_1_percent_fpr"}
    assert figures["rows"] == {"learning": 2100, "test": 900}
    model = load(tmp_path / "out" / "default.json")
    assert set(model.terms) == {"amount", "strange name", "noise"}
    assert (tmp_path / "out" / "reliability.png").stat().st_size < 100_000
    assert model.version in (tmp_path / "out" / "default.md").read_text()


def test_on_shuffled_labels_it_says_a_half(tmp_path):
    figures = trained(tmp_path, "--data", str(table(tmp_path, 6000, shuffled=True)), "--label", "fraud")
    assert figures["model"]["auc"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "no column 'label'"),
        ("a,b\n1,2\n", "no column 'label'"),
        ("a,label\nx,1\n2,0\n", "'a' is not numeric"),
        ("a,label\n1,1\n2,1\n", "must have both 0 and 1"),
        ("a,label\n1,yes\n2,no\n", "must be 0 or 1"),
        ("a,label\n1,1,5\n2,0\n", "more or fewer cells"),
        ("a,a,label\n1,1,1\n2,0,0\n", "two columns of one name"),
        ("label\n1\n0\n", "no column to learn from"),
        ("a,label\n" + "1,0\n" * 50 + "2,1\n", "only one of the two labels|too few rows"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_refused_with_the_reason(tmp_path, text, cause):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(CommandError, match=cause):
        trained(tmp_path / "out", "--data", str(file))
    assert not [*(tmp_path / "out").iterdir()]


@pytest.mark.parametrize(
    ("times", "cause"),
    [(("9", "", "10"), "is missing"), (("9", "nan", "10"), "is missing"), (("9", "noon", "10"), "number in some rows")],
)
def test_a_time_that_cannot_be_sorted_by_is_refused(tmp_path, times, cause):
    file = tmp_path / "table.csv"
    file.write_text("a,label,when\n" + "".join(f"{n},{n % 2},{time}\n" for n, time in enumerate(times)))
    with pytest.raises(BadTable, match=cause):
        read_table(file, label="label", time="when")


@pytest.mark.parametrize("times", [("10", "9", "1e1"), ("2026-02-01", "2026-01-31", "2026-02-01")])
def test_rows_are_sorted_by_time_and_those_of_one_time_stay_in_order(tmp_path, times):
    file = tmp_path / "table.csv"
    file.write_text("a,label,when\n" + "".join(f"{n},{n % 2},{time}\n" for n, time in enumerate(times)))
    assert list(read_table(file, label="label", time="when").values[:, 0]) == [1, 0, 2]


def test_options_that_cannot_be_are_refused_before_anything_is_learned(tmp_path):
    data, taken = ("--data", str(table(tmp_path, 10)), "--label", "fraud"), tmp_path / "taken"
    taken.write_text("")
    for folder, words, cause in (
        (tmp_path, (*data, "--decisions"), "--decisions goes without --data"),
        (tmp_path, (*data, "--time", "fraud"), "both the label and the time"),
        (taken, (), "cannot be made"),
    ):
        with pytest.raises(CommandError, match=cause):
            trained(folder, *words)


def columns(rows=400, **given):
    """Every fourth row is hostile, as is whose column `phone_sale` is large."""
    labels = np.array([int(n % 4 == 0) for n in range(rows)])
    phones = np.array([random.Random(n).gauss(4 if label else 1, 1) for n, label in enumerate(labels)])
    told = {"phone_sale": phones} | {name: np.full(rows, value) for name, value in given.items()}
    return Table([*told], np.column_stack([*told.values()]), labels, ["A1" if label else "new" for label in labels])


def test_a_feature_that_never_changes_leaves_its_rule_in_place():
    model = fit(columns(link_rejected=0.0, honeypot=np.nan), seed=1, constrained=True)
    assert set(model.terms) == {"phone_sale"}
    contributions = model.assess({"link_rejected": 3.0}).contributions
    assert contributions["link_rejected"] == RULES["link_rejected"].contribution(3) > 0


def test_a_column_of_tiny_numbers_is_learned_from():
    tiny = columns()
    tiny = replace(tiny, values=tiny.values * 1e-8)
    model = fit(tiny, seed=1, constrained=True)
    assert roc_auc_score(tiny.labels, probabilities(model, tiny)) > 0.9


def test_whatever_changes_a_model_changes_its_version():
    model, rows = TableModel("", 0.0, {"phone_sale": Term((2.0,), (0.0, -1.0, 1.0))}), columns()
    made = [
        calibrated(model, slope=slope, shift=shift, table=rows) for slope, shift in ((1, 0), (2, 0), (1, 1), (1, 0))
    ]
    assert made[0].version == made[3].version
    assert len({each.version for each in made}) == 3


def test_high_begins_where_it_is_rare_in_every_kind_of_customer():
    labels = np.zeros(2000, int)
    labels[-1] = 1
    rows = Table([], np.zeros((2000, 0)), labels, ["carrier"] * 1000 + ["new"] * 1000)
    scores = np.zeros(2000)
    scores[-1] = 1.0  # hostile
    assert least_high(rows, scores) == HIGH
    scores[:3] = 0.9, 0.85, 0.8  # two of a thousand may be called high, a third not
    assert least_high(rows, scores) == round(99 * 0.8) + 1
    assert least_high(replace(rows, groups=[]), scores) == HIGH


def test_what_few_sales_do_not_tell_is_no_figure():
    rows = columns()
    assert one_attack(rows, rows.values[:, 0], "A5") == {"rows": 0, "auc": None, "recall_at_1_percent_fpr": None}
    assert left_out(rows, rows, "A1", seed=1, constrained=True) is None
    assert known(None) == "-"


def test_a_sale_is_drawn_from_its_seed_and_has_everybody_in_it():
    one, again, other = Sale(3).orders(), Sale(3).orders(), Sale(4).orders()
    assert one == again != other
    groups = {order["group"] for sale in range(5) for order in Sale(sale).orders()}
    assert groups == {*ATTACKS, *GENUINE_GROUPS}


@pytest.mark.django_db(transaction=True)
def test_no_single_feature_tells_people_from_operators():
    sales = simulated(range(101, 106))
    for name, column in zip(sales.names, sales.values.T, strict=True):
        there = ~np.isnan(column)
        auc = roc_auc_score(sales.labels[there], column[there])
        assert max(auc, 1 - auc) <= 0.85, name


@pytest.mark.django_db(transaction=True)
def test_the_same_seed_makes_the_same_model_bit_for_bit(tmp_path):
    for name in ("one", "two"):
        write(fit(simulated(range(5, 7)), seed=5, constrained=True), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
