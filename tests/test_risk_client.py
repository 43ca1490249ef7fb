"""Where a request contradicts itself, and what its browser may report."""

import pytest

from orders.risk.client import client_report, contradictions, foreign_clock

WINDOWS = {
    "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36",
    "sec-ch-ua": '"Chromium";v="131", "Google Chrome";v="131", "Not?A_Brand";v="99"',
    "sec-ch-ua-platform": '"Windows"',
    "sec-ch-ua-mobile": "?0",
    "sec-fetch-site": "same-origin",
    "accept-language": "de-DE,de;q=0.9,en;q=0.8",
}
IPHONE = {
    "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1",
    "sec-fetch-site": "same-origin",
    "accept-language": "en-US,en;q=0.9",
}
FIREFOX = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "sec-fetch-site": "same-origin",
    "accept-language": "fr",
}
AT_WINDOWS = {"platform": "Win32", "languages": ["de-DE", "en"], "touch": False, "webdriver": False}


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        (WINDOWS, AT_WINDOWS),
        (WINDOWS, AT_WINDOWS | {"touch": True}),  # a laptop with a touch screen
        (WINDOWS, None),  # without a script
        (IPHONE, {"platform": "iPhone", "languages": ["en-US"], "touch": True}),
        (IPHONE | {"user-agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.1 Safari/605.1.15"},
         {"platform": "MacIntel", "languages": ["en-US"], "touch": True}),  # an iPad
        (FIREFOX, {"platform": "Linux x86_64", "languages": ["fr"], "touch": False}),
    ],
)  # fmt: skip
def test_a_browser_does_not_contradict_itself(headers, client):
    assert contradictions(headers, client) == []


@pytest.mark.parametrize(
    ("changes", "client", "rule"),
    [
        ({"sec-ch-ua-platform": '"Linux"'}, AT_WINDOWS, "client hint of another system"),
        ({}, AT_WINDOWS | {"platform": "Linux x86_64"}, "platform of another system"),
        ({"sec-ch-ua": '"Chromium";v="120"'}, AT_WINDOWS, "hints of another version"),
        ({"sec-ch-ua-mobile": "?1"}, AT_WINDOWS, "mobile by half"),
        ({"accept-language": "zh-CN"}, AT_WINDOWS, "another language"),
        ({}, AT_WINDOWS | {"webdriver": True}, "driven by a program"),
        ({}, AT_WINDOWS | {"screen": [800, 600]}, "no screen"),
    ],
)
def test_who_forges_one_place_forgets_another(changes, client, rule):
    assert contradictions(WINDOWS | changes, client) == [rule]


def test_a_bare_program_lacks_what_browsers_send():
    agent = {"user-agent": WINDOWS["user-agent"]}
    assert contradictions(agent, None) == ["chromium without its hints", "browser without fetch metadata"]


def test_only_known_words_of_the_report_are_kept_and_each_is_bounded():
    sent = AT_WINDOWS | {"timezone": "x" * 999, "screen": [10**9, -5], "languages": ["a" * 99] * 99, "more": {"a": 1}}
    report = client_report(sent)
    assert set(report) == {*AT_WINDOWS, "timezone", "screen"}
    assert report["screen"] == [100_000, 0]
    assert len(repr(report)) < 1000
    assert client_report("text") is None
    assert client_report({"touch": "yes", "screen": "big", "languages": 5}) is None


@pytest.mark.parametrize(
    ("client", "country", "foreign"),
    [
        ({"timezone": "Europe/Berlin"}, "DE", 0.0),
        ({"timezone": "Europe/Berlin"}, "us", 1.0),
        ({"timezone": "Nowhere/Land"}, "DE", None),
        (None, "DE", None),
        ({"timezone": "Europe/Berlin"}, "", None),
    ],
)
def test_the_clock_may_run_in_another_country(client, country, foreign):
    assert foreign_clock(client, country) == foreign
