"""`manage.py promote_risk_model`: which model scores, which is tried beside it, and that neither breaks an order."""

import json
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orders.models import Evidence, Order, Role, TrainedModel
from orders.risk import registry
from orders.risk.score import score_order
from tests.life import open_drop, place

pytestmark = pytest.mark.django_db
SHIPPED: dict[str, Any] = json.loads(registry.SHIPPED.read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder as train_risk_model writes it; the model's answer moves with `intercept`."""

    def write(name: str, **changes: Any) -> Path:
        place = tmp_path / name
        place.mkdir()
        (place / "default.json").write_text(json.dumps(SHIPPED | {"version": name} | changes))
        (place / "default.md").write_text(f"# Card of {name}")
        return place

    return write


def promote(*arguments: Any, **options: Any) -> str:
    out = StringIO()
    call_command("promote_risk_model", *map(str, arguments), stdout=out, **options)
    return out.getvalue()


def roles() -> dict[str, str]:
    return dict(TrainedModel.objects.values_list("version", "role"))


def scored(order: Order | None = None) -> Order:
    order = order or place(open_drop())
    order.now = order.created_at
    order.take_score(score_order(order, order.now))
    return order


def test_it_works(folder):
    assert "one is the champion" in (said := promote(folder("one")))
    assert "# Card of one" in said
    order = scored()
    assert Evidence.objects.get(order=order).model.startswith("one/")
    assert not order.score_degraded


def test_the_next_champion_retires_the_last_one_and_an_old_one_comes_back_by_its_version(folder):
    promote(folder("one"))
    promote(folder("two"))
    assert roles() == {"one": Role.RETIRED, "two": Role.CHAMPION}
    promote("one")
    assert roles() == {"one": Role.CHAMPION, "two": Role.RETIRED}
    assert registry.scorers().champion.version == "one"


def test_another_model_does_not_take_a_version_that_is_there(folder):
    promote(folder("one"))
    other = folder("other", version="one", intercept=30)
    for role in (True, False):
        with pytest.raises(CommandError, match="another model is stored"):
            promote(other, challenger=role)
    assert roles() == {"one": Role.CHAMPION}
    assert TrainedModel.objects.get().table["intercept"] == SHIPPED["intercept"]


def test_the_champion_does_not_become_the_challenger(folder):
    promote(folder("one"))
    with pytest.raises(CommandError, match="is the champion"):
        promote("one", challenger=True)
    assert registry.scorers().champion.version == "one"


def test_a_challenger_is_heard_and_changes_nothing(folder):
    promote(folder("one"))
    order = scored()
    alone, score = Evidence.objects.get(order=order), order.score
    promote(folder("bold", intercept=SHIPPED["intercept"] + 30), challenger=True)
    scored(order)
    beside = Evidence.objects.get(order=order)
    assert (order.score, beside.reasons, beside.model) == (score, alone.reasons, alone.model)
    assert alone.challenger is None
    assert beside.challenger == {"version": "bold", "score": 99, "level": "high"}
    assert score < 99


def test_a_challenger_is_heard_beside_the_rules(folder):
    promote(folder("bold", intercept=30), challenger=True)
    order = scored()
    evidence = Evidence.objects.get(order=order)
    assert evidence.model.startswith("rules-")
    assert evidence.challenger["version"] == "bold"


def test_a_challenger_that_wins_is_no_challenger_any_more(folder):
    promote(folder("one"))
    promote(folder("two"), challenger=True)
    promote("two")
    assert roles() == {"one": Role.RETIRED, "two": Role.CHAMPION}
    assert registry.scorers().challenger is None


def test_all_retire(folder):
    promote(folder("one"))
    promote(folder("two"), challenger=True)
    assert "2 models retired" in promote(retire=True)
    assert set(roles().values()) == {Role.RETIRED}
    assert registry.scorers().champion == registry.RULES
    assert scored().score is not None


def test_another_process_follows(folder):
    promote(folder("one"))
    registry.known = registry.Scorers(registry.RULES, None, time.monotonic() - registry.FRESH - 1)
    assert registry.scorers().champion.version == "one"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 99},
        {"intercept": "high"},
        {"intercept": float("nan")},
        {"terms": []},
        {"terms": {"ip_sale": {"cuts": [1], "scores": [0, 0], "shares": [1, 0, 0]}}},
        {"terms": {"ip_sale": {"cuts": [2, 1], "scores": [0] * 4, "shares": [0.25] * 4}}},
        {"terms": {"ip_sale": {"cuts": [1], "scores": [0, "x", 0], "shares": [1, 0, 0]}}},
        {"version": "v" * 41},
    ],
)
def test_a_broken_model_is_refused_and_the_champion_stays(folder, changes):
    promote(folder("one"))
    broken = folder("broken", **changes)
    with pytest.raises(CommandError, match="cannot be read"):
        promote(broken)
    assert roles() == {"one": Role.CHAMPION}
    assert registry.scorers().champion.version == "one"


@pytest.mark.parametrize("text", ["", "{", None])
def test_what_is_no_model_at_all_is_refused(folder, text):
    place = folder("broken")
    if text is None:
        (place / "default.md").unlink()
    else:
        (place / "default.json").write_text(text)
    with pytest.raises(CommandError, match="neither a stored version nor a folder"):
        promote(place)


def test_either_a_model_or_retire():
    for arguments, options in (((), {}), (("one",), {"retire": True})):
        with pytest.raises(CommandError, match="name a model, or --retire"):
            promote(*arguments, **options)


def test_a_stored_model_that_cannot_be_read_any_more_leaves_the_rules_and_says_so(folder):
    promote(folder("one"))
    TrainedModel.objects.update(table={"format": 1})
    registry.forget()
    order = scored()
    assert order.score_degraded
    assert Evidence.objects.get(order=order).model.startswith("rules-")


def test_a_challenger_that_cannot_be_read_is_not_heard(folder):
    promote(folder("bold"), challenger=True)
    TrainedModel.objects.update(table={})
    registry.forget()
    order = scored()
    assert not order.score_degraded
    assert Evidence.objects.get(order=order).challenger is None
