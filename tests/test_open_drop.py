"""A merchant puts a drop on sale by command."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orders.models import Drop, Pair

pytestmark = pytest.mark.django_db

WORDS: dict[str, Any] = {
    "price": 29900,
    "opens": "2026-12-01T18:00:00Z",
    "closes": "2026-12-03T18:00:00+01:00",
    "size": ["9=3", "9.5=2"],
}


def open_drop(**changes: Any) -> str:
    said, words = StringIO(), WORDS | changes
    options = [f"--{name}={value}" for name, value in words.items() if name != "size"]
    call_command("open_drop", "Winter", *options, *[f"--size={size}" for size in words["size"]], stdout=said)
    return said.getvalue()


def test_it_makes_the_drop_and_its_numbered_pairs():
    assert "Winter, 5 pairs" in open_drop()
    drop = Drop.objects.get()
    assert (drop.price, drop.currency, str(drop.closes_at)) == (29900, "usd", "2026-12-03 17:00:00+00:00")
    assert sorted(drop.pairs.values_list("number", flat=True)) == [1, 2, 3, 4, 5]
    assert drop.pairs.filter(size="9.5").count() == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"opens": "tomorrow"}, "no time with a zone"),
        ({"opens": "2026-12-01T18:00:00"}, "no time with a zone"),
        ({"closes": "2026-11-01T18:00:00Z"}, "closes after it opens"),
        ({"price": 0}, "price is above zero"),
        ({"price": -1}, "greater than or equal to 0"),
        ({"currency": "dollars"}, "at most 3 characters"),
        ({"size": ["9"]}, "does not say how many"),
        ({"size": ["nine=9"]}, "does not say how many"),
        ({"size": ["9=0"]}, "at least one pair"),
        ({"size": ["9.3=1"]}, "whole or half"),
        ({"size": ["9=1", "9=2"]}, "named twice"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_made(changes: dict[str, Any], said: str):
    with pytest.raises(CommandError, match=said):
        open_drop(**changes)
    assert not Drop.objects.exists()
    assert not Pair.objects.exists()
