"""`manage.py open_drop`: put a new drop on sale."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware

from orders.drops import open_drop, read_sizes
from orders.models import Drop


class Command(BaseCommand):
    help = "Makes a drop and its numbered pairs. Landing page and claims follow its opening and closing time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--price", type=int, required=True, metavar="CENTS", help="29900 is 299.00")
        parser.add_argument("--currency", default="usd", help="ISO 4217 (usd)")
        parser.add_argument("--opens", required=True, metavar="TIME", help="2026-12-01T18:00:00Z; a zone is needed")
        parser.add_argument("--closes", required=True, metavar="TIME")
        parser.add_argument(
            "--size", action="append", required=True, metavar="SIZE=PAIRS", help="9.5=120; once for each US size"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        drop = Drop(
            name=options["name"],
            price=options["price"],
            currency=options["currency"],
            opens_at=moment(options["opens"]),
            closes_at=moment(options["closes"]),
        )
        try:
            sizes = read_sizes(",".join(options["size"]))
            open_drop(drop, sizes)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"Drop {drop.pk}: {drop.name}, {sum(sizes.values())} pairs, opens {drop.opens_at:%c} UTC")


def moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or not is_aware(found):
        raise CommandError(f"{text!r} is no time with a zone, as 2026-12-01T18:00:00Z is.")
    return found
