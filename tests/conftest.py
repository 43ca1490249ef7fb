"""What several test files stand on: the running shop, and a real browser."""

import os
import shutil
import time
from collections.abc import Iterator

import pytest
from django.core.servers.basehttp import WSGIRequestHandler
from playwright.sync_api import Browser, sync_playwright

from orders.risk import registry
from tests import stack
from tests.life import strangers

__all__ = ["strangers"]  # a fixture, found here by its name


@pytest.fixture(scope="session")
def shop() -> Iterator[stack.Shop]:
    """The whole shop, started once by its real entry point; at the end it must stop cleanly."""
    with stack.folder_for_a_shop() as folder:
        shop = stack.start(folder).wait_ready()
        yield shop
        assert shop.stop() == 0


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A real browser. It ends with the test: its event loop would bar the tests after it from the database."""
    chromium = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
    if not shutil.which(chromium):
        if os.environ.get("QS_REQUIRE_BROWSER"):
            pytest.fail(f"{chromium} is missing, and QS_REQUIRE_BROWSER is set")
        pytest.skip(f"{chromium} is missing")
    with sync_playwright() as playwright:
        # Chromium's own sandbox cannot start as root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def answers_in_one_piece() -> None:
    """Django's live server sends headers and body apart, and each answer would wait 40 ms for the client's nod."""
    WSGIRequestHandler.disable_nagle_algorithm = True


@pytest.fixture(autouse=True)
def no_model_of_an_earlier_test() -> None:
    """A process keeps the models that score for half a minute; the next test has its own."""
    registry.known = registry.Scorers(registry.configured(), None, time.monotonic())
