"""`manage.py audit`: is everything as it must be?"""

import dataclasses
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orders.audit import audit


class Command(BaseCommand):
    help = "Checks every invariant, payments against the provider's ledger included; exit 1 if one is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        report = audit()
        if options["json"]:
            self.stdout.write(json.dumps(dataclasses.asdict(report)))
        else:
            self.stdout.write(f"{report.orders} orders")
            for name, number in sorted({**report.by_status, **report.by_outcome}.items()):
                self.stdout.write(f"  {name}: {number}")
            for text in report.warnings:
                self.stdout.write(f"warning: {text}")
            for text in report.violations:
                self.stdout.write(self.style.ERROR(f"violation: {text}"))
            self.stdout.write("no violations" if not report.violations else f"{len(report.violations)} violations")
        if report.violations:
            raise SystemExit(1)
