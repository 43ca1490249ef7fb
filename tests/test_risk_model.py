"""The trained model: the same everywhere, honest about its sum, and no order waits for it."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.models import Order
from orders.risk import registry
from orders.risk import score as scoring
from orders.risk.model import BadModel, load
from orders.risk.rules import Assessment
from orders.risk.training.parameters import ATTACKS, GENUINE_GROUPS
from orders.states import Level, State
from tests.life import fresh, open_drop, place, settle

FILE = Path(scoring.__file__).parent / "models" / "default.json"
MODEL = load(FILE)
GOLDEN = Path(__file__).parent / "golden_scores.json"
FEATURES = st.dictionaries(st.sampled_from([*MODEL.terms, "honeypot"]), st.none() | st.floats(0, 1000))


def test_the_same_vector_has_the_same_score_on_every_machine():
    golden = json.loads(GOLDEN.read_text())
    assert golden["version"] == MODEL.version
    for case in golden["cases"]:
        assert MODEL.assess(case["features"]).logit == case["logit"]


@given(FEATURES)
def test_the_contributions_add_up_to_the_logit(features):
    assessment = MODEL.assess(features)
    assert sum(assessment.contributions.values()) == pytest.approx(assessment.logit)


@pytest.mark.parametrize("name", ["device_sale", "card_sale", "phone_sale", "address_sale", "contradictions"])
def test_more_accounts_behind_one_thing_never_lower_the_score(name):
    assert all(low <= high for low, high in pairwise(MODEL.terms[name].scores[1:-1]))


@pytest.mark.parametrize("name", ["honeypot", "link_rejected"])
def test_what_no_training_data_have_counts_all_the_same(name):
    assert MODEL.assess({name: 1.0}).logit > MODEL.assess({name: 0.0}).logit


def test_the_card_of_the_shipped_model_holds_what_is_promised():
    card = FILE.with_suffix(".md").read_text()
    assert f"# Model {MODEL.version}\n" in card
    assert f"High from a score of {MODEL.high} on" in card
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in card.splitlines() if line.startswith("|")]
    told = {row[0]: row[1:] for row in cells}
    assert float(told["auc"][0]) >= 0.95
    assert float(told["recall at 1 percent fpr"][0]) >= 0.6
    assert float(told["calibration error"][0]) <= 0.02
    assert all(float(told[attack][-1]) >= 0.85 for attack in ATTACKS), "left out of learning"
    assert all(float(told[kind][1].removesuffix("%")) <= 0.5 for kind in GENUINE_GROUPS), "people wrongly called high"


def test_scoring_needs_nothing_of_the_training():
    program = (
        "import django, sys; django.setup(); import orders.tasks, orders.risk.score;"
        "print([name for name in ('numpy', 'sklearn', 'interpret', 'pandas', 'lightgbm', 'matplotlib',"
        " 'orders.risk.training') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"format": 99}', '{"format": 2, "version": "x", "intercept": 0, "terms": {"a": {}}}',
             '{"format": 2, "version": "x", "intercept": 0, "terms": {"a": {"cuts": [2, 1], "scores": [0, 0, 0, 0],'
             ' "shares": [0, 0, 1, 0]}}}',
             f'{{"format": 2, "version": "x", "intercept": 1{"0" * 400}, "terms": {{}}}}',
             '{"format": 2, "version": "x", "intercept": 0, "high": 74, "terms": {}}',
             pytest.param("[" * 100_000, id="nested too deeply")]
)  # fmt: skip
def test_a_model_that_cannot_be_read_is_said_so(tmp_path, text):
    file = tmp_path / "model.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadModel):
        load(file)


def test_no_logit_is_too_far_out_for_a_probability():
    far = [Assessment(logit, {}).probability for logit in (-1e308, -800, -1, 0, 1, 800, 1e308)]
    assert far == pytest.approx([0, 0, 1 - far[4], 0.5, 0.7310585786, 1, 1])


@pytest.mark.usefixtures("strangers")
def test_without_a_model_the_rules_score_and_the_order_goes_on(tmp_path, settings):
    settings.RISK_MODEL = tmp_path / "gone.json"
    registry.forget()
    order = place(open_drop())
    settle()
    order = fresh(order)
    assert order.state == State.AWAITING_PAYMENT
    assert order.score_degraded
    assert "rules stand in" in order.events.get(what="scored").cause


@pytest.mark.django_db
def test_the_level_is_high_from_the_models_own_score_on(settings):
    settings.RISK_MODEL = FILE
    registry.forget()
    scores = {score.score: score.level for n in range(60) if (score := scoring.assess({"address_sale": n / 2}))}
    assert max(scores) > MODEL.high
    assert all((level == Level.HIGH) == (score >= MODEL.high) for score, level in scores.items())


@pytest.mark.usefixtures("strangers")
def test_a_scorer_that_fails_stops_no_order(monkeypatch):
    monkeypatch.setattr(scoring, "features_of", lambda *_: 1 / 0)
    order = place(open_drop())
    settle()
    order = fresh(order)
    assert (order.state, order.score_degraded) == (State.AWAITING_PAYMENT, True)
    assert "ZeroDivisionError" in order.events.get(what="scored").cause


@pytest.mark.usefixtures("strangers")
def test_a_model_that_is_named_scores_and_the_journal_tells_which_it_was(settings):
    settings.RISK_MODEL = FILE
    registry.forget()
    place(open_drop())
    settle()
    order = Order.objects.get()
    assert order.events.get(what="scored").data["model"].startswith(MODEL.version)
    assert not order.score_degraded
    assert len(order.evidence.reasons) == 3
