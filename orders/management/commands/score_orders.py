"""`python manage.py score_orders FILE`: what the score says of orders that never were."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from orders import clock
from orders.risk.replay import BadRawOrder, RawOrder, replay
from orders.risk.score import assess


class Command(BaseCommand):
    help = (
        "Scores raw orders, one JSON object a line, as if they came in this order in one sale, and prints a line of "
        "JSON for each: id, score, level, reasons. The database is left as it was."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--json", action="store_true", help="a line of JSON for each, which is also the default")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            scored = [(raw.id, assess(features)) for raw, features in replay(read_orders(file))]
        except OperationalError as error:
            raise CommandError("the shop's database does not answer; `make run` starts it") from error
        for name, score in scored:
            line = {"id": name or None, "score": score.score, "level": score.level, "reasons": score.reasons}
            self.stdout.write(json.dumps(line, ensure_ascii=False))


def read_orders(file: Path) -> list[RawOrder]:
    """Raises CommandError with the line that cannot be read; then none is scored."""
    orders: list[RawOrder] = []
    before = clock.now()
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            orders.append(RawOrder.read(json.loads(line, parse_constant=refuse_constant), before=before))
        except (ValueError, RecursionError) as error:
            cause = str(error) if isinstance(error, BadRawOrder) else "no valid JSON"
            raise CommandError(f"{file}, line {number}: {cause}") from error
        before = orders[-1].at
    return orders


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
