"""POST /orders/: what is taken, what is refused, and which refusal comes first."""

import json
import re
from datetime import timedelta
from html import unescape
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core import mail
from django.test import Client

from orders import clock
from orders.models import ClaimSignals, Drop, Order, Work
from orders.risk import ticket
from orders.risk.ticket import Ticket
from tests.life import open_drop
from tests.test_risk_ticket import solved

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
BODY: dict[str, Any] = {
    "size": 9,
    "email": "ada@example.org",
    "name": "Ada Example",
    "line1": "12 Main Street",
    "city": "Springfield",
    "postcode": "12345",
    "country": "US",
}


@pytest.fixture
def drop(settings: Any) -> Drop:
    settings.CLAIM_RATE = 0
    return open_drop({"9": 3, "10.5": 1})


def claim(client: Client, body: Any = None, *, key: str = "", **changes: Any) -> Any:
    """A claim as JSON."""
    content = body if isinstance(body, bytes) else json.dumps((body or BODY) | changes)
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/orders/", content, content_type="application/json", headers=headers)


def fill_in(client: Client, *, accept: str = "text/html", **changes: Any) -> Any:
    """A claim by the form on the page, as a browser sends it."""
    page = client.get("/").content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    return client.post("/orders/", urlencode(hidden | BODY | changes), content_type=FORM, headers={"Accept": accept})


def refused(answer: Any, status: int, code: str) -> dict[str, list[str]]:
    assert (answer.status_code, answer.json()["error"]) == (status, code), answer.content
    assert set(answer.json()) == {"error", "detail", "fields"}
    assert answer.json()["detail"]
    fields: dict[str, list[str]] = answer.json()["fields"]
    return fields


# --- a claim that is taken --------------------------------------------------------------------------------------------


def test_a_claim_as_json_answers_201_with_the_status_and_its_address(drop: Drop, client: Client) -> None:
    answer = claim(client)
    order = Order.objects.get()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/orders/{order.public_id}/"
    assert answer.json() == client.get(f"/orders/{order.public_id}/status").json()


def test_a_claim_by_form_leads_to_the_status_page(drop: Drop, client: Client) -> None:
    answer = fill_in(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/orders/{Order.objects.get().public_id}/")


def test_a_claim_by_form_answers_json_where_that_is_asked_for(drop: Drop, client: Client) -> None:
    assert fill_in(client, accept="application/json").status_code == 201


def test_a_claim_as_json_is_answered_in_json_whatever_accept_says(drop: Drop, client: Client) -> None:
    answer = client.post("/orders/", "{}", content_type="application/json", headers={"Accept": "text/html"})
    refused(answer, 422, "invalid")


def test_a_multipart_form_is_a_form_too(drop: Drop) -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.get("/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    assert client.post("/orders/", BODY | {"csrfmiddlewaretoken": token[1]}).status_code == 303


@pytest.mark.parametrize("size", [9, 9.0, "9", "9.0", " 9 "])
def test_a_size_may_be_a_number_or_text(drop: Drop, client: Client, size: Any) -> None:
    answer = claim(client, size=size)
    assert (answer.status_code, answer.json()["size"]) == (201, 9)
    assert isinstance(answer.json()["size"], int)


def test_a_half_size_stays_a_half_size(drop: Drop, client: Client) -> None:
    assert claim(client, size="10.5").json()["size"] == 10.5


def test_words_are_trimmed_and_a_country_may_be_small(drop: Drop, client: Client) -> None:
    claim(client, name="  Ada \u00a0  Example ", country="us", line2=None, unknown={"ignored": True})
    order = Order.objects.get()
    assert (order.name, order.country, order.line2) == ("Ada Example", "US", "")


def test_a_form_tells_how_long_it_was_open_and_a_json_claim_does_not(drop: Drop, client: Client) -> None:
    fill_in(client)
    waited = ClaimSignals.objects.get().raw["page_to_submit_ms"]
    assert 0 <= waited < 60_000
    claim(client, email="eve@example.org")
    assert ClaimSignals.objects.latest("id").raw["page_to_submit_ms"] is None


def test_a_forged_time_counts_as_none_and_a_filled_trap_is_noted(drop: Drop, client: Client) -> None:
    fill_in(client, opened="1:forged", homepage="https://spam.example")
    raw = ClaimSignals.objects.get().raw
    assert (raw["page_to_submit_ms"], raw["honeypot"]) == (None, True)


@pytest.mark.parametrize(("sent", "came"), [(None, Ticket.VALID), ("forged", Ticket.INVALID), ("", Ticket.MISSING)])
def test_a_claim_is_taken_whatever_came_of_the_pages_work(
    drop: Drop, client: Client, monkeypatch: pytest.MonkeyPatch, sent: str | None, came: Ticket
) -> None:
    monkeypatch.setattr(ticket, "FEWEST", 0)
    monkeypatch.setattr(ticket, "MOST", 3)
    challenge = re.search(r'name="ticket" data-challenge="([^"]+)"', client.get("/").content.decode())
    assert challenge
    answer = fill_in(client, ticket=solved(unescape(challenge[1])) if sent is None else sent)
    assert answer.status_code == 303
    raw = ClaimSignals.objects.get().raw
    assert raw["ticket"] == came
    assert (raw.get("ticket_ms") is not None) == (came == Ticket.VALID)


# --- CSRF -------------------------------------------------------------------------------------------------------------


def test_the_form_needs_its_token_and_json_needs_none(drop: Drop) -> None:
    client = Client(enforce_csrf_checks=True)
    bare = client.post("/orders/", urlencode(BODY), content_type=FORM)
    assert bare.status_code == 403
    assert "send the form again" in bare.content.decode()
    refused(
        client.post("/orders/", urlencode(BODY), content_type=FORM, headers={"Accept": "application/json"}),
        403,
        "csrf_failed",
    )
    assert claim(client).status_code == 201
    assert fill_in(client, email="eve@example.org").status_code == 303


# --- bodies that cannot be read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b'{"size": NaN}',
        b"[" * 5000,
        b'{"size": ' + b"9" * 5000 + b"}",
        b'{"size": 1e99999999999999999999}',
        json.dumps(BODY | {"name": "a\0b"}).encode(),
        json.dumps(BODY | {"name": "\ud800"}).encode(),
        json.dumps(BODY | {"name": 5}).encode(),
        json.dumps(BODY | {"size": True}).encode(),
        json.dumps(BODY | {"size": [9]}).encode(),
        json.dumps(BODY | {"line1": {"a": 1}}).encode(),
    ],
)
def test_json_that_cannot_be_read_is_malformed(drop: Drop, client: Client, body: bytes) -> None:
    refused(client.post("/orders/", body, content_type="application/json"), 400, "malformed")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, urlencode(BODY | {"name": "a\0b"}).encode()),
        (FORM, urlencode(BODY).encode() + b"&name=%ff%fe"),
        (FORM, b"&".join(b"a=1" for _ in range(2000))),
        (FORM + "; charset=latin-1", urlencode(BODY).encode()),
        ("multipart/form-data", b"no boundary"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="size"\r\n\r\n9\0\r\n--x--\r\n',
        ),
    ],
)
def test_a_form_that_cannot_be_read_is_malformed(drop: Drop, client: Client, content_type: str, body: bytes) -> None:
    answer = client.post("/orders/", body, content_type=content_type, headers={"Accept": "application/json"})
    refused(answer, 400, "malformed")


def test_a_body_is_refused_by_its_announced_size_before_it_is_read(drop: Drop, client: Client) -> None:
    refused(claim(client, b" " * (16 * 1024 + 1)), 413, "too_large")
    page = client.post("/orders/", b"a=" + b"b" * 16 * 1024, content_type=FORM)
    assert page.status_code == 413


class Chunks(BytesIO):
    """What a server gives for a body that comes without an announced length: a little at a time."""

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size > 0, "the whole body must not be asked for"
        return super().read(min(size, 1000))


def chunked(client: Client, body: bytes) -> tuple[Any, Chunks]:
    stream = Chunks(body)
    environ: dict[str, Any] = {
        "wsgi.input": stream,
        "CONTENT_LENGTH": "",
        "CONTENT_TYPE": "application/json",
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    return client.post("/orders/", **environ), stream


def test_a_body_in_chunks_is_read_and_has_the_same_limit(drop: Drop, client: Client) -> None:
    answer, _ = chunked(client, json.dumps(BODY).encode())
    assert answer.status_code == 201
    answer, stream = chunked(client, b" " * 1_000_000)
    refused(answer, 413, "too_large")
    assert stream.tell() <= 16 * 1024 + 1


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
def test_other_media_types_are_unsupported(drop: Drop, client: Client, content_type: str) -> None:
    answer = client.post("/orders/", b"x", content_type=content_type, headers={"Accept": "application/json"})
    refused(answer, 415, "unsupported_media_type")


def test_the_claim_takes_only_post(drop: Drop, client: Client) -> None:
    answer = client.get("/orders/", headers={"Accept": "application/json"})
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


# --- fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "8"),
        ("size", "nine"),
        ("size", "9.25"),
        ("size", -9),
        ("size", 1e300),
        ("size", None),
        ("email", "ada"),
        ("email", "ada@example.org\nBcc: eve@example.org"),
        ("email", "a" * 60 + "@" + ".".join(["d" * 60] * 4) + ".org"),
        ("email", "ada@" + ".".join(["東京都渋谷区神南町丸角屋"] * 8) + ".jp"),  # as xn--... longer than any address
        ("name", ""),
        ("name", " \t "),
        ("name", "Ada\nBcc: eve@example.org"),
        ("name", "Ada\x1b[2J"),
        ("name", "a" * 101),
        ("line1", "one\u2028two"),
        ("line2", "b" * 121),
        ("city", None),
        ("postcode", "1" * 21),
        ("country", "XX"),
        ("country", "USA"),
        ("country", "Germany, I think"),
        ("phone", "call me"),
        ("phone", "123"),
    ],
)
def test_a_field_that_cannot_be_accepted_is_named(drop: Drop, client: Client, field: str, value: Any) -> None:
    fields = refused(claim(client, **{field: value}), 422, "invalid")
    assert list(fields) == [field]
    assert all(isinstance(text, str) and text for text in fields[field])
    assert not Order.objects.exists()


@pytest.mark.parametrize("phone", ["+49 (0)30 123-456", "030/123456", "0049.30.123456", ""])
def test_phones_come_in_many_spellings(drop: Drop, client: Client, phone: str) -> None:
    assert claim(client, phone=phone).status_code == 201


def test_a_page_with_mistakes_keeps_what_was_typed_and_says_what_is_wrong(drop: Drop, client: Client) -> None:
    answer = fill_in(client, email="nonsense", name='Ada "the" <b>Countess</b>', size="10.5")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="nonsense"' in page
    assert "Ada &quot;the&quot; &lt;b&gt;Countess&lt;/b&gt;" in page
    assert re.search(r'value="10\.5"[^>]*\schecked\b', page)
    assert '<option value="US" selected>' in page
    field = re.search(r'<input type="email"[^>]*>', page)
    assert field
    assert all(text in field[0] for text in ('aria-invalid="true"', 'aria-describedby="id_email_error"', "autofocus"))
    assert re.search(r'id="id_email_error"[^>]*><li>Please check this address', page)


def test_a_form_that_comes_back_still_knows_when_it_was_opened(drop: Drop, client: Client) -> None:
    page = client.get("/").content.decode()
    opened = re.search(r'name="opened" value="([^"]+)"', page)
    assert opened
    again = client.post("/orders/", urlencode({"opened": opened[1]}), content_type=FORM).content.decode()
    assert f'name="opened" value="{opened[1]}"' in again


# --- the sale ---------------------------------------------------------------------------------------------------------


def test_without_a_drop_no_sale_is_open(client: Client, settings: Any) -> None:
    refused(claim(client), 409, "sale_not_open")
    assert fill_in(client).status_code == 409


def test_a_claim_before_the_opening_or_after_the_close_is_refused(drop: Drop, client: Client) -> None:
    Drop.objects.update(opens_at=clock.now() + timedelta(hours=1))
    refused(claim(client), 409, "sale_not_open")
    Drop.objects.update(opens_at=clock.now() - timedelta(hours=2), closes_at=clock.now() - timedelta(hours=1))
    refused(claim(client), 409, "sale_closed")


def test_a_second_claim_of_a_mailbox_learns_neither_id_nor_state(drop: Drop, client: Client) -> None:
    first = claim(client).json()["orderId"]
    answer = claim(client, email="Ada+again@Example.org", size="10.5")
    refused(answer, 409, "already_claimed")
    assert first not in answer.content.decode()
    page = fill_in(client, email="ADA@example.org")
    assert page.status_code == 409
    assert first not in page.content.decode()
    assert "already" in page.content.decode()


def test_a_size_without_pairs_is_sold_out(drop: Drop, client: Client) -> None:
    assert claim(client, size="10.5").status_code == 201
    refused(claim(client, size="10.5", email="eve@example.org"), 409, "sold_out")
    page = fill_in(client, size="10.5", email="eve@example.org")
    assert page.status_code == 409
    assert 'role="alert"' in page.content.decode()
    assert 'value="eve@example.org"' in page.content.decode()


# --- keys and limits --------------------------------------------------------------------------------------------------


def test_the_same_key_and_body_give_the_same_order_in_json_and_by_form(drop: Drop, client: Client) -> None:
    first, second = claim(client, key="k"), claim(client, key="k")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["orderId"] == second.json()["orderId"]
    form = {"idempotency_key": "of the page", "email": "eve@example.org"}
    assert fill_in(client, **form).headers["Location"] == fill_in(client, **form).headers["Location"]
    assert Order.objects.count() == 2


def test_the_same_key_with_another_body_is_a_conflict(drop: Drop, client: Client) -> None:
    claim(client, key="k")
    refused(claim(client, key="k", name="Eve"), 409, "idempotency_conflict")
    page = fill_in(client, idempotency_key="k", name="Eve")
    assert page.status_code == 409
    assert "used already" in page.content.decode()


def test_the_header_wins_over_the_forms_field(drop: Drop, client: Client) -> None:
    body = urlencode(BODY | {"idempotency_key": "in the form"})
    client.post("/orders/", body, content_type=FORM, headers={"Idempotency-Key": "in the header"})
    again = client.post("/orders/", urlencode(BODY), content_type=FORM, headers={"Idempotency-Key": "in the header"})
    assert again.status_code == 303


def test_a_key_of_255_characters_is_taken_and_a_longer_one_is_named(drop: Drop, client: Client) -> None:
    assert claim(client, key="k" * 255).status_code == 201
    assert list(refused(claim(client, key="k" * 256), 422, "invalid")) == ["Idempotency-Key"]


def test_a_refusal_is_not_remembered(drop: Drop, client: Client) -> None:
    refused(claim(client, key="k", city=""), 422, "invalid")
    assert claim(client, key="k").status_code == 201


def test_too_many_claims_are_asked_to_slow_down(drop: Drop, client: Client, settings: Any) -> None:
    settings.CLAIM_RATE = 1
    claim(client)
    answer = claim(client, email="eve@example.org")
    refused(answer, 429, "slow_down")
    assert int(answer.headers["Retry-After"]) > 0
    page = fill_in(client)
    assert (page.status_code, "Retry-After" in page.headers) == (429, True)


def test_where_several_refusals_hold_the_first_of_the_contract_is_given(
    drop: Drop, client: Client, settings: Any
) -> None:
    """Unreadable, replay, limit, fields, the sale's window, the customer, the stock."""
    settings.CLAIM_RATE = 1
    first = claim(client, key="k", size="10.5")
    assert first.status_code == 201
    Drop.objects.update(opens_at=clock.now() - timedelta(hours=2), closes_at=clock.now() - timedelta(hours=1))
    refused(claim(client, b"{", key="k"), 400, "malformed")
    assert claim(client, key="k", size="10.5").json() == first.json()
    refused(claim(client, key="k", size="7"), 409, "idempotency_conflict")
    refused(claim(client, size="7"), 429, "slow_down")
    settings.CLAIM_RATE = 0
    refused(claim(client, size="7"), 422, "invalid")
    refused(claim(client, size="10.5"), 409, "sale_closed")
    Drop.objects.update(closes_at=clock.now() + timedelta(hours=1))
    refused(claim(client, size="10.5"), 409, "already_claimed")
    refused(claim(client, size="10.5", email="eve@example.org"), 409, "sold_out")


def test_a_claim_sends_no_mail_itself(drop: Drop, client: Client) -> None:
    """The customer's page never waits for a mail server."""
    claim(client)
    claim(client)
    assert mail.outbox == []
    assert Work.objects.filter(step="send_link").count() == 1
