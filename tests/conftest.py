"""Fixtures that several files share."""

from collections.abc import Iterator

import pytest

from tests.shop import Shop, running_shop


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """One shop for all tests that need the real processes."""
    with running_shop() as shop:
        yield shop
