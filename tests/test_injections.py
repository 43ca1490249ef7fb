"""What customers write instructs nobody and is run by nothing: prompts, markup, queries, formulas, templates, controls.

Beside each order with such a text goes the same order with a harmless one of the same shape: its letters turned by 13
places, so that it has the same length, digits, signs and variety of letters, and means nothing.
"""

import codecs
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from django.db import transaction
from django.test import Client
from playwright.sync_api import Browser, Dialog

from fulfillment.reviews import in_review
from orders import clock, workflow
from orders.engine import run_due
from orders.models import Callback, Drop, Evidence, Order
from orders.risk import registry
from orders.risk.features import Features
from orders.risk.replay import RawOrder, RollBack, replay
from orders.risk.score import level_of, points
from orders.states import ANALYSES, Step
from orders.storefront.forms import ClaimForm, longest
from tests.language_model import GOOD, running, says
from tests.life import open_drop
from tests.reviews import a_reviewer, a_user, authorise
from tests.reviews import browser as logged_in
from tests.reviews import in_review as in_review_of
from tests.test_review_browser import visit

CORPUS: dict[str, list[str]] = json.loads((Path(__file__).parent / "injections.json").read_text())
TEXTS = [text for texts in CORPUS.values() for text in texts]

# Where a customer's text may stand, in the words of a raw order.
FORM = ("email", "name", "line1", "line2", "city", "postcode", "country", "phone")
HEADERS = ("User-Agent", "Accept-Language", "Sec-CH-UA", "Sec-CH-UA-Platform", "Referer", "X-Forwarded-For", "X-Note")
REPORT = ("timezone", "platform", "languages")
PLACES = (*(("form", name) for name in FORM), *(("headers", name) for name in HEADERS),
          *(("client", name) for name in REPORT), ("device", ""))  # fmt: skip
LIKENESS = "email_likeness"  # of the e-mail address and the name: measured on purpose, and at most good for a customer


def harmless(text: str) -> str:
    return codecs.encode(text, "rot13")


def plain_order(number: int) -> dict[str, Any]:
    """A raw order that shares nothing with another."""
    return {
        "id": str(number),
        "at": f"2026-05-01T{10 + number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "ip": f"10.{number // 250}.{number % 250}.1",
        "headers": [[name, "en"] for name in HEADERS],
        "form": {
            "email": f"visitor{number}@mail{number}.org",
            "name": "Ada Example",
            "line1": f"{number + 1} Main Street",
            "line2": "",
            "city": "Springfield",
            "postcode": f"{20_000 + number}",
            "country": "US",
            "phone": f"+1 555 {number:07}",
        },
        "page_to_submit_ms": 20_000,
        "device": f"device-{number}",
        "client": {"timezone": "America/New_York", "platform": "x", "languages": ["en"], "touch": False},
    }


def with_text(order: dict[str, Any], place: tuple[str, str], text: str) -> dict[str, Any]:
    order, (part, name) = deepcopy(order), place
    if part == "headers":
        order["headers"] = [[header, text if header == name else value] for header, value in order["headers"]]
    elif part == "device":
        order["device"] = text
    elif name == "languages":
        order["client"]["languages"] = [text]
    elif name == "email":
        order["form"]["email"] = f"{text}@{order['form']['email'].partition('@')[2]}"
    else:
        order[part][name] = text
    return order


def measured(orders: list[dict[str, Any]]) -> list[Features]:
    now = clock.now()
    return [features for _, features in replay([RawOrder.read(order, before=now) for order in orders])]


def test_the_corpus_is_one():
    assert len(set(TEXTS)) == len(TEXTS) >= 50
    assert sum(harmless(text) != text for text in TEXTS) >= 50


def with_texts(number: int, write: Callable[[str], str], texts: Sequence[str] = TEXTS) -> dict[str, Any]:
    """An order with another text in each place; over all of them each text is in each place once."""
    order = plain_order(number)
    for turn, place in enumerate(PLACES):
        order = with_text(order, place, write(texts[(number + turn) % len(texts)]))
    return order


@pytest.mark.django_db
def test_no_text_in_any_place_moves_a_score():
    hostile = measured([with_texts(number, str) for number in range(len(TEXTS))])
    beside = measured([with_texts(number, harmless) for number in range(len(TEXTS))])
    model = registry.scorers().champion.model
    for ours, theirs in zip(hostile, beside, strict=True):
        assert {name for name in ours if ours[name] != theirs[name]} <= {LIKENESS}
        score, other = points(model.assess(ours)), points(model.assess(theirs | {LIKENESS: ours[LIKENESS]}))
        assert score == other
        assert level_of(points(model.assess(theirs))) == level_of(score)


# --- through the shop's own door, as far as the review ----------------------------------------------------------------


SALE = range(0, len(TEXTS), 5)


def claimed(number: int, write: Callable[[str], str], drop: Drop) -> Order:
    """The same order by the storefront's form; what the form refuses altogether is written as anybody would."""
    order = with_texts(number, write)
    form = order["form"] | {"size": "9", "client": json.dumps(order["client"]), "opened": write(TEXTS[number])}
    form |= {name: plain_order(number)["form"][name] for name in ClaimForm(form).messages()}
    client = Client(REMOTE_ADDR=order["ip"])
    client.cookies["qs_device"] = on_the_wire(order["device"])
    headers = {name: on_the_wire(value) for name, value in order["headers"]} | {"Accept": "application/json"}
    answer = client.post("/orders/", form, headers=headers)
    assert answer.status_code == 201, answer.content
    return Order.objects.get(public_id=answer.json()["orderId"])


def on_the_wire(text: str) -> str:
    """As WSGI hands a header over; no server lets a control character in."""
    return "".join(letter for letter in text if category(letter) != "Cc").encode().decode("latin-1")


def reviewed(write: Callable[[str], str]) -> list[dict[str, Any]]:
    """What a sale's orders are to a reviewer, in the desk's order. The sale itself is undone."""
    seen: list[dict[str, Any]] = []
    with suppress(RollBack), transaction.atomic():
        drop = open_drop({"9": len(SALE)})
        orders = [claimed(number, write, drop).number for number in SALE]
        while run_due([Step.SCORE_RISK], workflow.undo_order):
            pass
        for number in orders:
            order = authorise(number)
            workflow.ask_analyst(order)
            order.commit()
        while run_due(ANALYSES, workflow.undo_order):
            pass
        Callback.objects.open().update(deadline_at=drop.closes_at)  # so that it is the score that says who is first
        for order in in_review().select_related("evidence"):
            features = {name: value for name, value in order.evidence.features.items() if name != LIKENESS}
            seen.append(
                {"place": orders.index(order.number), "score": order.score, "level": order.level}
                | {"reasons": order.evidence.reasons, "features": features}
            )
        raise RollBack
    return seen


@pytest.mark.django_db
def test_an_order_with_them_is_reviewed_as_any_other(settings):
    settings.CLAIM_RATE = 0
    beside = reviewed(harmless)
    with running() as model:
        model.replies = [says(GOOD | {"evidence": []})]
        settings.ANALYST_URL, settings.ANALYST_MODEL = model.url, "small"
        hostile = reviewed(str)
    assert hostile == beside
    assert len(model.asked) == len(hostile) == len(SALE)
    asked = json.dumps(model.asked, ensure_ascii=False)
    assert [text for text in TEXTS if text.strip() in asked] == []


# --- on the pages of staff --------------------------------------------------------------------------------------------


RUN = [*CORPUS["markup"], *CORPUS["templates"]]  # what a page could run


@pytest.fixture
def stored() -> list[Order]:
    """Orders in review with a text in each field, past the form, and with one that a language model wrote."""
    drop, orders = open_drop({"9": len(RUN)}), []
    for number, text in enumerate(RUN):
        typed = with_texts(number, str, RUN)["form"]
        fields = {name: typed[name][: longest(name)] for name in FORM if name != "email"}
        order = in_review_of(drop, email=f"{text[:60]}@mail{number}.org", **fields)
        words = {"summary": text, "evidence": ["ip_sale"], "checks": [], "score": order.score}
        Evidence.objects.filter(order=order).update(explanation=words)
        orders.append(order)
    return orders


@pytest.fixture
def sessions() -> list[str]:
    return [logged_in(user).cookies["sessionid"].value for user in (a_reviewer(), a_user("boss", is_superuser=True))]


@pytest.mark.e2e
@pytest.mark.django_db(transaction=True)
def test_they_are_text_on_the_pages(live_server: Any, stored: list[Order], sessions: list[str], browser: Browser):
    """No dialog, no script, no error in the console, no request to a stranger."""
    (reviewer, complaints), (boss, more) = (visit(browser, live_server.url, session, 1440) for session in sessions)

    def close(dialog: Dialog) -> None:
        complaints.append(dialog.message)
        dialog.dismiss()

    for page in (reviewer, boss):
        page.on("dialog", close)
    for order, text in zip(stored, RUN, strict=True):
        reviewer.goto(f"{live_server.url}/admin/review/{order.public_id}/")
        name, words = (reviewer.locator(place).first.text_content() for place in (".customer dd", ".explanation p"))
        assert (name, words) == (order.name, text)
    reviewer.goto(f"{live_server.url}/admin/review/")
    boss.goto(f"{live_server.url}/admin/orders/order/")
    for order in stored[::9]:
        boss.goto(f"{live_server.url}/admin/orders/order/{order.number}/change/")
        boss.goto(f"{live_server.url}/orders/{order.public_id}/")
    assert complaints == more == []
