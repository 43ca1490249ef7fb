"""Production starts with safe settings only, says which one is missing, and survives a change of its key."""

import os
import subprocess
import sys

import pytest

from tests.deployment import PRODUCTION
from tests.stack import ROOT

TELL = "import quantasneaks.settings as s; print(s.SHOP_ID, s.RISK_PEPPER.hex(), s.SECRET_KEY_FALLBACKS)"
OLD, NEW = PRODUCTION["SECRET_KEY"], PRODUCTION["SECRET_KEY"][::-1]


def tell(**changes: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"]} | PRODUCTION | changes
    return subprocess.run([sys.executable, "-c", TELL], cwd=ROOT, env=environment, capture_output=True, text=True)


def test_it_starts():
    assert tell().returncode == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("ALLOWED_HOSTS", ""),
        ("PAYMENT_PROVIDER", "paylab"),
        ("STRIPE_API_KEY", ""),
        ("STRIPE_WEBHOOK_SECRET", ""),
        ("EMAIL_URL", ""),
        ("DEBUG", "on"),
        ("QS_TRUSTED_PROXIES", "the proxy"),
    ],
)
def test_what_is_unsafe_or_missing_is_named(name: str, value: str):
    refused = tell(**{name: value})
    assert refused.returncode == 1
    assert f"{name}: " in refused.stderr.splitlines()[-1]


def test_a_new_secret_key_does_not_change_who_the_shop_is():
    before = tell().stdout.split()[:2]
    assert tell(SECRET_KEY=NEW).stdout.split()[:2] != before
    after = tell(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD, QS_SHOP_KEY=OLD).stdout.split()
    assert after == [*before, f"['{OLD}']"]
