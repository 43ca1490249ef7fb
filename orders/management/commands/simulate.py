"""`manage.py simulate`: a whole sale on the running shop, customers and reviewers included."""

import argparse
import asyncio
import dataclasses
import json
import secrets
from datetime import timedelta
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count

from orders import clock
from orders.demo import open_demo_drop
from orders.models import Drop
from orders.simulation.people import Plan
from orders.simulation.rehearsal import rehearse
from orders.states import PairState
from orders.wording import size_text

LONG_WAIT = timedelta(minutes=10)


def rate(text: str) -> float:
    """A share of the customers."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


class Command(BaseCommand):
    help = "Runs a whole sale over HTTP against the running demo shop, until every order is final, and reports on it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customers", type=count, default=600, metavar="N", help="how many come (600)")
        parser.add_argument("--decline-rate", type=rate, default=0.0, metavar="P", help="first card is declined (0)")
        parser.add_argument("--reject-rate", type=rate, default=0.0, metavar="P", help="reviewers say no (0)")
        parser.add_argument("--abandon-rate", type=rate, default=0.0, metavar="P", help="never pay (0)")
        parser.add_argument("--new-drop", action="store_true", help="first open a fresh drop of 500 pairs")
        parser.add_argument("--seed", type=int, help="who does what; two runs with one seed behave alike")
        parser.add_argument("--wait", action="store_true", help="also where abandoning takes more than 10 minutes")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        self.refuse_what_cannot_work(**options)
        if options["new_drop"]:
            open_demo_drop(clock.now())
        plan = Plan(
            customers=options["customers"],
            sizes=sizes_on_sale(),
            seed=secrets.randbelow(2**31) if options["seed"] is None else options["seed"],
            time_to_pay=settings.PAYMENT_TIMEOUT.total_seconds(),
            decline_rate=options["decline_rate"],
            reject_rate=options["reject_rate"],
            abandon_rate=options["abandon_rate"],
        )
        try:
            report, trouble = asyncio.run(
                rehearse(plan, base=settings.INTERNAL_URL, password=settings.STAFF_PASSWORD, quiet=options["json"])
            )
        except KeyboardInterrupt:
            raise CommandError("Stopped. The orders placed so far live on in the shop.", returncode=130) from None
        if options["json"]:
            self.stdout.write(json.dumps(dataclasses.asdict(report)))
        else:
            self.stdout.write("\n".join(report.lines()))
        if trouble:
            raise CommandError(trouble)

    def refuse_what_cannot_work(self, **options: Any) -> None:
        if not (settings.DEMO and settings.PAYLAB):
            raise CommandError("Only the demo with PayLab can be simulated: nobody pays real money here.", returncode=2)
        if options["abandon_rate"] and settings.PAYMENT_TIMEOUT > LONG_WAIT and not options["wait"]:
            raise CommandError(
                f"Customers who abandon wait for the time to pay, {settings.PAYMENT_TIMEOUT} here, and the simulation "
                "with them. Add --wait, or start the shop and this command with a shorter QS_PAYMENT_TIMEOUT.",
                returncode=2,
            )
        try:
            httpx.get(f"{settings.INTERNAL_URL}/readyz", timeout=5, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            raise CommandError(
                f"The shop does not answer at {settings.INTERNAL_URL} ({type(error).__name__}). "
                "Is `make run` running, and with the PORT that this command has?",
                returncode=2,
            ) from None


def sizes_on_sale() -> dict[str, int]:
    """How many pairs of each size can be claimed now."""
    drop = Drop.objects.current()
    if drop is None or not drop.opens_at <= drop.now < drop.closes_at:
        raise CommandError("There is no open sale. Add --new-drop to open one.", returncode=2)
    sizes = drop.pairs.filter(state=PairState.ON_SALE).values_list("size").annotate(Count("pk")).order_by("size")
    if not sizes:
        raise CommandError("No pair is on sale. Add --new-drop to open a fresh drop.", returncode=2)
    return {size_text(size): pairs for size, pairs in sizes}
