"""`python manage.py train_risk_model`: learn the score, judge it, write the model and its card."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError


class Command(BaseCommand):
    help = (
        "Trains and evaluates the score. Without --data it learns from invented sales, through the same features as a "
        "live order; --out orders/risk/models rebuilds the shop's own model. Needs requirements-train.txt."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, help="a labelled table as CSV: numeric columns, empty cells allowed")
        parser.add_argument("--label", default="label", help="the column with 0 and 1 (default: label)")
        parser.add_argument("--time", help="the column to sort by; the last 30 %% are the test (default: file's order)")
        parser.add_argument("--sales", type=int, default=40, help="invented sales to learn from and be judged by")
        parser.add_argument("--decisions", action="store_true", help="learn from what reviewers decided, too")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--compare", choices=["lightgbm"], help="also judge this on the same split")
        parser.add_argument("--out", type=Path, help="folder for model and card (default: QS_DATA_DIR/risk-model)")
        parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")

    def handle(
        self, *args: Any, data: Path | None, label: str, time: str | None, sales: int, seed: int, **options: Any
    ) -> None:
        try:
            from orders.risk.training.card import judge, write_card
            from orders.risk.training.decided import decided
            from orders.risk.training.ebm import Refused, write
            from orders.risk.training.simulated import simulated
            from orders.risk.training.table import BadTable, read_table
        except ModuleNotFoundError as error:
            raise CommandError(f"{error.name} is missing: pip install -r requirements-train.txt") from error
        if data and options["decisions"]:
            raise CommandError("decisions are learned from beside invented sales: --decisions goes without --data")
        out = writable(options["out"] or settings.DATA_DIR.root / "risk-model")
        try:
            table = read_table(data, label=label, time=time) if data else simulated(range(seed, seed + sales))
            if options["decisions"]:
                table = table.mixed_with(decided())
            model, figures = judge(table, seed=seed, constrained=data is None, compare=options["compare"])
        except (BadTable, Refused) as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError("the shop's database does not answer; `make run` starts it") from error
        write(model, out / "default.json")
        write_card(figures, out)
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        for name in ("model", "lightgbm"):
            for figure, value in figures.get(name, {}).items():
                self.stdout.write(f"{name:9} {figure:26} {value:.4f}")
        self.stdout.write(f"model and card: {out}")


def writable(folder: Path) -> Path:
    """The folder, there before minutes are spent on what goes into it. Raises CommandError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{folder} cannot be made: {error}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandError(f"{folder} cannot be written to")
    return folder
