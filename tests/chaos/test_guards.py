"""The list of guards names lines that are there."""

import pytest

from tests.chaos.broken_guards import GUARDS, ROOT, Guard
from tests.chaos.storm.defences import DEFENCES


@pytest.mark.parametrize("guard", [*GUARDS, *DEFENCES], ids=lambda guard: guard.name)
def test_a_guard_still_stands_where_the_list_says(guard: Guard):
    assert (ROOT / guard.file).read_text().count(guard.there) == 1
