"""The shop's own settings, and three views beside its own."""

from quantasneaks.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench.doors.urls"
