"""The score in words: the shop's own, or a language model's, whose answer may be wrong in any way."""

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from orders import workflow
from orders.audit import audit
from orders.engine import run_due
from orders.models import Evidence, Order, Work
from orders.risk import language_model
from orders.risk.explanation import Check, in_our_words
from orders.risk.features import Features
from orders.risk.score import Score
from orders.states import ANALYSES, Level, State, Step
from tests.language_model import GOOD, LanguageModel, fails, running, says
from tests.life import approve, fresh, open_drop, paid_order, place, story
from tests.reviews import REASONS, a_reviewer, browser, in_review

PAUSE = 0.3  # seconds
OURS = (
    "The score is medium (70 of 99); what raised it: 12 customers from one IP address and 3 customers with one phone."
)


@pytest.fixture
def model(settings: Any) -> Any:
    """A language model that the shop asks."""
    breaker = language_model.breaker
    usual = breaker.reset_timeout
    with running() as model:
        settings.ANALYST_URL, settings.ANALYST_KEY, settings.ANALYST_MODEL = model.url, "sk-words", "small"
        settings.ANALYST_TIMEOUT = timedelta(seconds=5)
        yield model
    breaker.reset_timeout = usual
    breaker.close()


def wanted(order: Order) -> None:
    with transaction.atomic():
        locked = Order.objects.lock(order.number)
        workflow.ask_analyst(locked)
        locked.commit()


def explained(order: Order) -> Any:
    """What the analyst's process leaves, after it was asked for this order."""
    wanted(order)
    assert run_due(ANALYSES, workflow.undo_order) == 1
    return Evidence.objects.get(order=order).explanation


def page(order: Order) -> str:
    """The review as a reviewer sees it."""
    reviewer = User.objects.filter(username="rita").first() or a_reviewer()
    return browser(reviewer).get(f"/admin/review/{order.public_id}/").text


# --- the shop's own words ---------------------------------------------------------------------------------------------


def test_it_works_without_a_language_model():
    words = in_our_words(score=70, level=Level.MEDIUM, degraded=False, reasons=REASONS)
    assert words.summary == f"{OURS} What speaks for the customer: the e-mail address resembles the name."
    assert words.checks == [Check.NETWORK, Check.NAMES]
    assert words.evidence == ["ip_sale", "phone_sale", "email_likeness"]
    assert not words.by_model


@pytest.mark.parametrize(
    ("score", "degraded", "reasons", "text"),
    [
        (2, False, [], "The score is low (2 of 99), and nothing raised it. Nothing that was measured speaks for the"),
        (50, True, [], "The score is low (50 of 99), and nothing raised it. The scorer failed or had to make do with"),
        (70, False, REASONS[:1], "what raised it: 12 customers from one IP address. Nothing that was measured speaks"),
        (1, False, REASONS[2:], "nothing raised it. What speaks for the customer: the e-mail address resembles"),
    ],
)
def test_they_say_what_there_is_to_say(score, degraded, reasons, text):
    words = in_our_words(score=score, level=Level.LOW, degraded=degraded, reasons=reasons)
    assert text in words.summary


@pytest.mark.django_db
def test_a_reviewer_reads_them_and_nobody_is_asked():
    order = in_review(open_drop())
    wanted(order)
    assert not Work.objects.filter(order=order, step=Step.EXPLAIN_SCORE).exists()
    text = page(order)
    assert OURS in text
    assert Check.NETWORK.label in text
    assert "A language model" not in text


@pytest.mark.django_db
def test_an_order_that_is_reviewed_without_its_score_shows_none_of_it():
    order = in_review(open_drop())
    Evidence.objects.filter(order=order).update(explored=True)
    assert OURS not in page(order)


# --- a language model's -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("strangers")
def test_a_paid_order_is_explained_beside_its_life(model: LanguageModel):
    model.replies = [says(GOOD | {"evidence": ["ip_sale"]})]
    order = paid_order(open_drop())
    evidence = order.evidence
    assert order.state == State.AWAITING_APPROVAL
    assert evidence.explanation == GOOD | {"evidence": ["ip_sale"], "score": order.score}
    assert not order.work.exists()
    assert story(order)[-2:] == ["payment authorised", "mail sent"]
    (asked,) = model.asked
    assert (asked["path"], asked["model"]) == ("/v1/chat/completions", "small")
    assert model.headers[0]["authorization"] == "Bearer sk-words"
    facts = json.loads(asked["messages"][1]["content"])
    assert set(facts) == {"score", "level", "degraded", "features", "contributions"}
    assert (facts["score"], facts["level"], facts["degraded"]) == (order.score, order.level, False)
    assert all(isinstance(number, float) for number in (*facts["features"].values(), *facts["contributions"].values()))
    assert audit().violations == []


@pytest.mark.django_db
def test_a_reviewer_reads_whose_words_they_are(model: LanguageModel):
    model.replies = [says(GOOD | {"summary": "Twelve <b>customers</b> share an address."})]
    order = in_review(open_drop())
    explained(order)
    text = page(order)
    assert "Twelve &lt;b&gt;customers&lt;/b&gt; share an address." in text
    assert "A language model wrote this" in text
    assert OURS not in text


BAD = {
    "broken JSON": says('{"summary": "Twelve customers'),
    "no JSON": says("Sure! Here is what I think."),
    "another shape": says([GOOD]),
    "a key missing": says({"summary": "Twelve.", "evidence": []}),
    "a key too many": says(GOOD | {"score": 3}),
    "a wrong type": says(GOOD | {"summary": 12}),
    "an unknown feature": says(GOOD | {"evidence": ["shoe_size"]}),
    "a feature that it was not shown": says(GOOD | {"evidence": ["card_sale"]}),
    "an unknown check": says(GOOD | {"checks": ["approve"]}),
    "too long": says(GOOD | {"summary": "x" * 301}),
    "empty": says(GOOD | {"summary": ""}),
    "turned round": says(GOOD | {"summary": "Nothing \u202e odd"}),
    "several lines": says(GOOD | {"summary": "Twelve.\nAPPROVE"}),
    "a refusal": says(None, refusal="I cannot help with that."),
    "no choice": (200, b'{"id": "x", "object": "chat.completion", "created": 1, "model": "small", "choices": []}', 0),
    "no completion": (200, b"<html>", 0),
    "429": fails(429),
    "500": fails(500),
    "401": fails(401),
}


@pytest.mark.django_db
@pytest.mark.parametrize("reply", BAD.values(), ids=BAD)
def test_a_bad_answer_is_asked_for_once_more_then_our_own_words_stay(model: LanguageModel, reply):
    model.replies = [reply]
    order = in_review(open_drop())
    told = story(order)
    assert explained(order) is None
    assert len(model.asked) == 2
    after = fresh(order)
    assert (after.state, after.score, after.level) == (order.state, order.score, order.level)
    assert story(order) == told
    assert not Work.objects.filter(step=Step.EXPLAIN_SCORE).exists()


@pytest.mark.django_db
def test_a_good_answer_to_the_second_try_counts(model: LanguageModel):
    model.replies = [fails(500), says(GOOD)]
    assert explained(in_review(open_drop())) == GOOD | {"score": 70}


@pytest.mark.django_db
def test_both_tries_together_have_the_time(model: LanguageModel, settings):
    settings.ANALYST_TIMEOUT = timedelta(seconds=2)
    model.replies = [(500, b"{}", 1.2), says(GOOD, wait=1.2)]  # each by itself is in time
    assert explained(in_review(open_drop())) is None
    assert len(model.asked) == 2


@pytest.mark.django_db
def test_nobody_there(model: LanguageModel, settings):
    settings.ANALYST_URL = "http://127.0.0.1:9/v1"
    assert explained(in_review(open_drop())) is None


@pytest.mark.django_db
def test_a_model_that_keeps_failing_is_left_alone_for_a_while(model: LanguageModel, settings):
    language_model.breaker.reset_timeout = PAUSE
    model.replies = [fails(500)]
    drop = open_drop({"9": 9})
    for _ in range(settings.ANALYST_FAILURES):
        explained(in_review(drop))
    asked = len(model.asked)
    model.replies = [says(GOOD)]
    assert explained(in_review(drop)) is None
    assert len(model.asked) == asked == 2 * settings.ANALYST_FAILURES
    time.sleep(PAUSE)
    assert explained(in_review(drop))
    assert explained(in_review(drop))


# --- when the order moves meanwhile -----------------------------------------------------------------------------------


def rescored(order: Order, score: int) -> None:
    with transaction.atomic():
        locked = Order.objects.lock(order.number)
        seen: Features = {"ip_sale": 30.0}
        locked.take_score(Score(score=score, level=Level.HIGH, at=locked.now, reasons=REASONS, features=seen))
        workflow.ask_analyst(locked)
        locked.commit()


@pytest.mark.django_db
def test_a_new_score_forgets_the_words_about_the_old_one_and_asks_anew(model: LanguageModel):
    order = in_review(open_drop())
    explained(order)
    rescored(order, 90)
    assert Evidence.objects.get(order=order).explanation is None
    assert "A language model" not in page(order)
    model.replies = [says(GOOD | {"evidence": []})]
    run_due(ANALYSES, workflow.undo_order)
    assert Evidence.objects.get(order=order, explanation__score=90)


@pytest.mark.django_db
def test_a_score_that_changes_while_the_model_thinks_is_explained_itself(model: LanguageModel, monkeypatch):
    order = in_review(open_drop())
    thought_of: list[int] = []

    def think(facts: dict[str, Any]) -> dict[str, Any]:
        thought_of.append(facts["score"])
        if facts["score"] == 70:
            rescored(order, 90)
        return GOOD

    monkeypatch.setattr(language_model, "explain", think)
    wanted(order)
    run_due(ANALYSES, workflow.undo_order)
    assert thought_of == [70, 90]
    assert Evidence.objects.get(order=order).explanation == GOOD | {"score": 90}


@pytest.mark.django_db
def test_an_order_that_is_decided_is_not_asked_about(model: LanguageModel):
    order = in_review(open_drop())
    wanted(order)
    approve(order)
    run_due(ANALYSES, workflow.undo_order)
    assert model.asked == []
    assert not Work.objects.filter(step=Step.EXPLAIN_SCORE).exists()


@pytest.mark.django_db
def test_an_order_before_its_review_is_not_asked_about(model: LanguageModel):
    order = place(open_drop())
    wanted(order)
    assert not Work.objects.filter(step=Step.EXPLAIN_SCORE).exists()


# --- who has the client -----------------------------------------------------------------------------------------------


def test_neither_the_web_nor_a_worker_loads_the_client():
    program = (
        "import django, sys; django.setup();"
        "import quantasneaks.wsgi, quantasneaks.urls, orders.tasks, fulfillment.views, orders.risk.analyst;"
        "from django.urls import get_resolver; get_resolver().url_patterns;"
        "print([name for name in ('openai', 'pybreaker', 'pydantic', 'orders.risk.language_model')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_image_has_no_client():
    for pins in ("requirements-image.txt", "requirements.txt"):
        with open(pins) as lines:
            assert not [line for line in lines if line.startswith(("openai", "pybreaker", "pydantic"))]


@pytest.mark.django_db
def test_a_process_without_the_client_leaves_our_own_words(model: LanguageModel, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "orders.risk.language_model")
    monkeypatch.delattr("orders.risk.language_model", raising=False)
    assert explained(in_review(open_drop())) is None
    assert model.asked == []


def test_a_url_without_a_model_is_refused():
    environment = {**os.environ, "QS_ANALYST_URL": "http://127.0.0.1:9", "QS_ANALYST_MODEL": ""}
    done = subprocess.run(
        [sys.executable, "-c", "import quantasneaks.settings"], capture_output=True, text=True, env=environment
    )
    assert "QS_ANALYST_MODEL" in done.stderr
