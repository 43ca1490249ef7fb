"""Raw orders of a file are scored as live ones are, and nothing of them stays."""

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import RequestFactory

from orders import clock
from orders.management.commands import score_orders
from orders.models import ClaimSignals, Drop, Evidence, Order
from orders.risk import neighbours
from orders.risk.features import features_of, signed
from orders.risk.limit import count_attempt
from orders.risk.replay import RawOrder, replay, written
from orders.risk.request import read_signals
from orders.risk.score import LINKS
from tests.life import SIGNALS, a_claim, features_now, open_drop, place, settle

CHROME = [
    ["Host", ""],
    ["sec-ch-ua", '"Chromium";v="131", "Google Chrome";v="131"'],
    ["sec-ch-ua-platform", '"Windows"'],
    ["User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36"],
    ["sec-fetch-site", "same-origin"],
    ["Accept-Language", "de-DE,de;q=0.9"],
]
CLIENT = {"timezone": "Europe/Berlin", "languages": ["de-DE"], "platform": "Win32", "touch": False, "webdriver": False}


def scored(folder, orders, *options):
    file = folder / "orders.jsonl"
    file.write_text("\n".join(order if isinstance(order, str) else json.dumps(order) for order in orders))
    out = StringIO()
    call_command("score_orders", str(file), *options, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def raw_order(n=0, **changes):
    form = {"email": f"ada{n}@example.org", "name": "Ada Example", "line1": f"{n + 1} Main Street", "country": "DE"}
    return {
        "id": str(n),
        "at": "2026-11-27T10:00:00Z",
        "ip": f"192.0.{n % 200}.7",
        "headers": CHROME,
        "form": form,
    } | changes


def contents():
    """Everything that a replay might leave behind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1")
        sequences = cursor.fetchall()
    return sequences, Order.objects.count(), ClaimSignals.objects.count(), Drop.objects.count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("strangers")
def test_a_file_is_scored_like_the_same_orders_live(tmp_path):
    drop = open_drop({"9": 10})
    live, file = [], []
    for n in range(6):
        claim = a_claim(
            email=f"a{n}x@many-mailboxes.example", line1=f"{n} Elm Street" if n % 2 else "7 Elm St", phone="5550100"
        )
        raw = SIGNALS | {
            "headers": CHROME,
            "device": "one-browser" if n < 4 else "",
            "client": CLIENT | {"touch": n > 2},
        }
        count_attempt(raw["ip"])
        order = place(drop, claim, signals=raw)
        live.append(order)
        form = {
            name: getattr(claim, name)
            for name in ("email", "name", "line1", "line2", "city", "postcode", "country", "phone")
        }
        file.append(raw | {"id": str(n), "at": order.created_at.isoformat(), "form": form})
    settle()
    before = contents()
    lines = scored(tmp_path, file, "--json")
    assert contents() == before
    evidence = {e.order_id: e for e in Evidence.objects.all()}
    orders = [Order.objects.get(number=order.number) for order in live]
    again = features_now(orders)
    assert [line["score"] for line in lines] == [scores(again[order.number]) for order in live]
    assert lines[-1]["score"] == Order.objects.get(number=live[-1].number).score
    assert evidence[live[-1].number].reasons == lines[-1]["reasons"]


def scores(features):
    from orders.risk.score import assess

    # The contract's file has no word on the hidden field.
    return assess(features | {"honeypot": None}).score


@pytest.mark.django_db(transaction=True)
def test_a_missing_value_is_no_link(tmp_path):
    many = [{"id": str(n), "at": "2026-11-27T10:00:00Z"} for n in range(50)]
    alone = scored(tmp_path, [{"id": "0"}])[0]["score"]
    assert {line["score"] for line in scored(tmp_path, many)} == {alone}
    nulls = [
        dict.fromkeys(("at", "ip", "headers", "form", "page_to_submit_ms", "device", "ticket_ms", "card", "client"))
    ]
    assert scored(tmp_path, nulls)[0] == scored(tmp_path, [{"what": "ever"}])[0]


def test_a_request_of_a_file_is_read_as_the_same_one_live():
    sent = [["user-agent", "Mozilla/5.0"], ["accept-language", ""], ["cookie", "a=b"], ["X-api-key", "secret"]]
    sent += [[f"x-{n}", "x"] for n in range(60)]
    raw = {"ip": "::ffff:198.51.100.7", "headers": sent, "page_to_submit_ms": -5000, "device": "d" * 99}
    request = RequestFactory().get("/", headers=dict(sent), REMOTE_ADDR=raw["ip"])
    request.COOKIES = {"qs_device": raw["device"]}
    live = read_signals(request, page_to_submit_ms=raw["page_to_submit_ms"], honeypot=False)
    read = RawOrder.read(raw, before=datetime.now(UTC)).raw
    assert live | {"ticket_ms": None} == read | {"honeypot": False}
    assert (read["ip"], read["page_to_submit_ms"]) == ("198.51.100.7", None)
    assert read["headers"][:2] == [["User-Agent", "Mozilla/5.0"], ["X-Api-Key", ""]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "value",
    ['"ip": "unknown"', '"page_to_submit_ms": 1e400', f'"page_to_submit_ms": {"9" * 400}', '"ticket_ms": -1e400'],
)
def test_what_cannot_be_is_missing(tmp_path, value):
    assert scored(tmp_path, [f"{{{value}}}"]) == scored(tmp_path, ["{}"])


@pytest.mark.django_db
def test_a_group_is_walked_through_once_and_not_for_each_of_its_orders():
    class Walked(list):
        times = 0

        def __iter__(self):
            Walked.times += 1
            return super().__iter__()

    streets = ("7 Elm Street", "7 Elmm St", "7 Oak Road")
    forms = [{"email": f"a{n}@gmail.com", "phone": "5550100", "line1": streets[n % 3]} for n in range(60)]
    orders = written([RawOrder.read({"form": form}, before=clock.now()) for form in forms])
    kept = signed(orders)
    around = neighbours.find(kept.values(), drop_id=orders[0].drop_id, now=clock.now())
    around.here = Walked(around.here)
    for group in [group for kind in LINKS for group in around.groups(kind).values()]:
        group.members = Walked(group.members)
    found = features_of(orders, kept, around)
    assert [found[order.number]["address_sale"] for order in orders[:3]] == [40, 40, 20]
    assert {features["link_size"] for features in found.values()} == {60}
    assert Walked.times < 30


def test_a_database_that_is_down_is_said_so(tmp_path, monkeypatch):
    def down(*_):
        raise OperationalError("connection refused")

    monkeypatch.setattr(score_orders.clock, "now", down)
    with pytest.raises(CommandError, match="database does not answer"):
        scored(tmp_path, [raw_order()])


@pytest.mark.django_db
def test_a_file_tells_of_a_ticket_how_long_it_took_and_no_more():
    raws = [
        RawOrder.read(raw_order(n, ticket_ms=took, client=CLIENT), before=clock.now())
        for n, took in enumerate([600, None])
    ]
    assert [
        [features[name] for name in ("ticket", "ticket_missing", "ticket_invalid", "ticket_sale", "claim_rank")]
        for _, features in replay(raws)
    ] == [[0.6, None, None, None, 1], [None, None, None, None, 2]]


@pytest.mark.django_db(transaction=True)
def test_the_label_is_not_read_and_unknown_keys_are_ignored(tmp_path):
    plain = scored(tmp_path, [raw_order(n) for n in range(5)])
    assert plain == scored(tmp_path, [raw_order(n, label=n % 2, more={"x": [1]}) for n in range(5)])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("{", "no valid JSON"),
        ("[1]", "JSON object"),
        ('{"at": "yesterday"}', "timestamp"),
        ('{"at": "2026-11-27T10:00:00"}', "time zone"),
        ('{"at": "9999-12-31T23:59:59Z"}', "out of range"),
        ('{"at": "0001-01-01T00:00:00+14:00"}', "out of range"),
        ('{"ip": 7}', "ip is of the wrong type"),
        ('{"headers": [["a"]]}', "headers"),
        ('{"page_to_submit_ms": NaN}', "no valid JSON"),
        ('{"form": {"email": ["x"]}}', "email is of the wrong type"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_none_is_scored(tmp_path, capsys, line, cause):
    with pytest.raises(CommandError, match=f"line 2: .*{cause}"):
        scored(tmp_path, [raw_order(), line])
    assert capsys.readouterr().out == ""


@pytest.mark.django_db(transaction=True)
def test_hostile_text_is_scored_all_the_same(tmp_path):
    form = {
        "email": "x\0'; DROP TABLE--@" + "é" * 500,
        "name": "\u202e\ud800" * 3,
        "line1": "\0" * 9,
        "phone": "\uff19" * 99,
    }
    lines = scored(tmp_path, [raw_order(form=form, device="\0" * 999, card="\0", headers=[["\0", "\0"]] * 99)])
    assert 0 <= lines[0]["score"] <= 99


@pytest.mark.django_db(transaction=True)
def test_an_empty_file_has_no_scores(tmp_path):
    assert scored(tmp_path, []) == []
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("score_orders", str(tmp_path / "none.jsonl"))
