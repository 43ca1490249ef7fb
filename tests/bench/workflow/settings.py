"""The shop's own settings, with a payment provider and a carrier that answer at once."""

from quantasneaks.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.bench.workflow.instant.Instant"]  # noqa: F405
CARRIER_API_BASE = ""  # labels by hand: the carrier of a shop without one
