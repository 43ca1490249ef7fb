"""`manage.py open_drop`: put a new drop on sale."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, transaction
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware

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
            currency=options["currency"].lower(),
            opens_at=moment(options["opens"]),
            closes_at=moment(options["closes"]),
        )
        sizes = dict(size_and_pairs(text) for text in options["size"])
        if len(sizes) < len(options["size"]):
            raise CommandError("A size is named twice.")
        try:
            drop.full_clean()
            with transaction.atomic():
                drop.save()
                drop.add_pairs(sizes)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        except IntegrityError as error:
            raise CommandError(f"The database refuses it: {error}") from error
        self.stdout.write(f"Drop {drop.pk}: {drop.name}, {sum(sizes.values())} pairs, opens {drop.opens_at:%c} UTC")


def moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or not is_aware(found):
        raise CommandError(f"{text!r} is no time with a zone, as 2026-12-01T18:00:00Z is.")
    return found


def size_and_pairs(text: str) -> tuple[Decimal, int]:
    size, _, pairs = text.partition("=")
    try:
        found = Decimal(size), int(pairs)
    except (InvalidOperation, ValueError):
        raise CommandError(f"{text!r} does not say how many pairs of which size, as 9.5=120 does.") from None
    if not 0 < found[0] < 100 or found[0] % Decimal("0.5") or not 0 < found[1] <= 100_000:
        raise CommandError(f"{text!r}: sizes are whole or half, and there is at least one pair.")
    return found
