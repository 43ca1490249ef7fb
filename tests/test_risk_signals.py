"""What is kept of a claim's request, and for how long."""

from datetime import timedelta

import pytest
from django.test import RequestFactory

from orders import clock
from orders.models import ClaimSignals
from orders.risk import signals
from orders.risk.request import read_signals
from tests.life import SIGNALS, a_claim, open_drop, place


def test_the_signals_of_a_request_are_read_in_the_order_of_its_headers() -> None:
    request = RequestFactory().post(
        "/orders/", headers={"user-agent": "Mozilla/5.0", "accept-language": "en", "x-forwarded-for": "203.0.113.9"}
    )
    raw = read_signals(request, page_to_submit_ms=4200, honeypot=False)
    assert raw["ip"] == "203.0.113.9"
    assert raw["page_to_submit_ms"] == 4200
    assert raw["honeypot"] is False
    names = [name for name, _ in raw["headers"]]
    assert names.index("User-Agent") < names.index("Accept-Language")
    assert ["User-Agent", "Mozilla/5.0"] in raw["headers"]


def test_no_secret_is_kept() -> None:
    request = RequestFactory().post(
        "/orders/",
        headers={
            "cookie": "sessionid=secret", "authorization": "Bearer secret", "x-api-key": "secret",
            "x-csrftoken": "secret", "idempotency-key": "secret", "referer": "https://shop/orders/secret/",
        },
    )  # fmt: skip
    raw = read_signals(request, page_to_submit_ms=None, honeypot=True)
    assert "secret" not in repr(raw)
    assert {"Cookie", "Authorization"}.isdisjoint(name for name, _ in raw["headers"])
    assert ["X-Api-Key", ""] in raw["headers"]


def test_what_a_request_can_make_us_keep_is_bounded() -> None:
    many = {f"x-{number}": "v" * 5000 for number in range(300)}
    request = RequestFactory().post("/orders/", headers={"user-agent": "a\0" * 5000, **many})
    raw = read_signals(request, page_to_submit_ms=-5, honeypot=False)
    assert len(repr(raw)) < 10_000
    assert "\0" not in repr(raw)
    assert raw["page_to_submit_ms"] is None


@pytest.mark.django_db
def test_a_claim_keeps_its_signals_and_their_hashes() -> None:
    order = place(open_drop())
    kept = order.signals
    assert kept.at == order.created_at
    assert kept.raw == SIGNALS
    hashes = [kept.ip_key, kept.net_key, kept.email_key, kept.address_key]
    assert all(len(key) == 32 for key in hashes)
    assert len(set(hashes)) == 4
    assert kept.phone_key == ""


@pytest.mark.django_db
def test_signals_go_thirty_days_after_the_sale_and_no_earlier() -> None:
    now = clock.now()
    old, newer = open_drop({"9": 3}), open_drop({"9": 1})
    for drop in (old, old, old, newer):
        place(drop, a_claim())
    old.closes_at, newer.closes_at = now - timedelta(days=30, seconds=1), now - timedelta(days=29)
    for drop in (old, newer):
        drop.opens_at = now - timedelta(days=60)
        drop.save()
    assert signals.purge(now) == 3
    assert set(ClaimSignals.objects.exclude(raw={}).values_list("drop", flat=True)) == {newer.pk}
    assert signals.purge(now) == 0
