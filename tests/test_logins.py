"""Log-ins: a merchant makes them by command, and who guesses passwords must wait."""

from io import StringIO
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fulfillment.groups import FULFILLMENT, SHIPPING
from tests.reviews import a_user, browser

pytestmark = pytest.mark.django_db
GOOD, NEWER = "a-long-enough-passphrase", "another-good-passphrase"


@pytest.fixture(autouse=True)
def passwords_cost_little(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


# --- wrong passwords --------------------------------------------------------------------------------------------------


def log_in(password: str, *, name: str = "rita", address: str = "192.0.2.1", **headers: str) -> Any:
    return Client().post(
        "/admin/login/", {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers
    )


@pytest.fixture
def rita() -> User:
    return a_user("rita", password=GOOD)


def test_the_right_password_is_let_in(rita):
    assert log_in(GOOD).status_code == 302


@pytest.mark.parametrize("name", ["rita", "nobody"])
def test_after_five_wrong_passwords_a_name_waits_at_that_address_only(rita, name):
    assert [log_in("wrong", name=name).status_code for _ in range(5)] == [200] * 4 + [429]
    answer = log_in(GOOD, name=name)
    assert answer.status_code == 429
    assert answer["Retry-After"] == "900"
    assert "try again in 15 minutes" in answer.text
    assert "unsafe-inline" not in answer.text
    assert log_in(GOOD, address="192.0.2.2").status_code == 302


def test_waiting_ends_though_somebody_keeps_trying(rita, settings):
    for _ in range(5):
        log_in("wrong")
    counted = AccessAttempt.objects.values_list("failures_since_start", "attempt_time").get()
    log_in("wrong")
    assert AccessAttempt.objects.values_list("failures_since_start", "attempt_time").get() == counted
    AccessAttempt.objects.update(attempt_time=counted[1] - settings.AXES_COOLOFF_TIME)
    assert log_in(GOOD).status_code == 302
    assert not AccessAttempt.objects.exists()


def test_an_address_is_believed_from_a_trusted_proxy_only(rita):
    for number in range(5):
        log_in("wrong", **{"X-Forwarded-For": f"198.51.100.{number}"})
    assert log_in(GOOD).status_code == 429
    for _ in range(5):
        log_in("wrong", address="127.0.0.1", **{"X-Forwarded-For": "203.0.113.9"})
    assert log_in(GOOD, address="127.0.0.1", **{"X-Forwarded-For": "203.0.113.9"}).status_code == 429
    assert log_in(GOOD, address="127.0.0.1", **{"X-Forwarded-For": "203.0.113.10"}).status_code == 302


def test_an_administrator_lets_somebody_try_again(rita):
    for _ in range(5):
        log_in("wrong")
    boss = browser(a_user("boss", is_superuser=True))
    attempts = "/admin/axes/accessattempt/"
    assert "rita" in boss.get(attempts).text
    assert boss.get(f"{attempts}add/").status_code == 403
    boss.post(f"{attempts}{AccessAttempt.objects.get().pk}/delete/", {"post": "yes"})
    assert log_in(GOOD).status_code == 302
    assert browser(rita).get(attempts).status_code == 403


def test_who_is_logged_in_costs_no_more_statements(rita, settings):
    client = browser(rita)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/admin/")
        return len(queries)

    counted = cost()
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "axes" not in name]
    settings.AUTHENTICATION_BACKENDS = settings.AUTHENTICATION_BACKENDS[1:]
    assert cost() == counted


# --- setup_staff ------------------------------------------------------------------------------------------------------


def setup_staff(*words: str) -> str:
    said = StringIO()
    call_command("setup_staff", *words, stdout=said)
    return said.getvalue()


def test_somebody_is_made_with_mail_and_groups(settings):
    settings.NEW_STAFF_PASSWORD = GOOD
    setup_staff("rita", "--mail", "rita@example.org", "--group", FULFILLMENT, "--group", SHIPPING)
    rita = User.objects.get(username="rita")
    assert rita.is_staff
    assert not rita.is_superuser
    assert (rita.email, rita.check_password(GOOD)) == ("rita@example.org", True)
    assert rita.has_perms(["fulfillment.decide_review", "fulfillment.pack_orders"])


def test_a_second_time_changes_nothing_but_what_is_named(settings):
    settings.NEW_STAFF_PASSWORD = GOOD
    setup_staff("rita", "--mail", "rita@example.org", "--group", FULFILLMENT)
    before = User.objects.values().get()
    settings.NEW_STAFF_PASSWORD = NEWER
    assert "known already" in setup_staff("rita", "--group", FULFILLMENT)
    assert User.objects.values().get() == before
    setup_staff("rita", "--group", SHIPPING, "--new-password")
    rita = User.objects.get()
    assert rita.check_password(NEWER)
    assert [group.name for group in rita.groups.all()] == [SHIPPING]


@pytest.mark.parametrize(
    ("words", "password", "said"),
    [
        (["rita", "--group", "Kings"], GOOD, "invalid choice"),
        (["rita"], GOOD, "at least one group"),
        (["rita", "--group", SHIPPING, "--group", FULFILLMENT], GOOD, "needs --mail"),
        (["rita", "--group", SHIPPING], "", "no terminal to ask for a password"),
        (["rita", "--group", SHIPPING], "1234", "too short"),
        (["rita with blanks", "--group", SHIPPING], GOOD, "valid username"),
        (["rita", "--mail", "nowhere", "--group", SHIPPING], GOOD, "valid email"),
    ],
)
def test_a_mistake_is_named_and_nobody_is_made(settings, words, password, said):
    settings.NEW_STAFF_PASSWORD = password
    with pytest.raises(CommandError, match=said):
        setup_staff(*words)
    assert not User.objects.exists()


def test_without_a_name_the_groups_are_set():
    assert "Fulfillment, Lead, Shipping, Merchant, Ops" in setup_staff()


def test_people_are_asked_for_at_a_terminal(monkeypatch):
    answers = iter(["rita", "rita@example.org", "Fulfillment, Shipping", "olga", "", "Kings", ""])
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    monkeypatch.setattr(
        "fulfillment.management.commands.setup_staff.getpass", lambda prompt: asked.append(prompt) or GOOD
    )
    setup_staff()
    assert User.objects.get().groups.count() == 2
    assert len(asked) == 2
