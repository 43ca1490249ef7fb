"""`manage.py rebuild_links`: work out anew which orders belong together, from what they share."""

from typing import Any

from django.core.management.base import BaseCommand

from orders.risk.links import rebuild


class Command(BaseCommand):
    """Safe while the shop is open: an order to be joined meanwhile waits a moment, then takes a stand-in score."""

    help = "Work out anew which orders belong together."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{rebuild()} groups of more than one order")
