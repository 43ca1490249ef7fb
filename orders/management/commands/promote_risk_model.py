"""`manage.py promote_risk_model FOLDER`: let a trained model score, or try it beside the one that does."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from orders.models import Role, TrainedModel
from orders.risk import registry
from orders.risk.model import BadModel


class Command(BaseCommand):
    """Prints the card of what it promoted. The running shop follows within 30 seconds; no score is made anew."""

    help = (
        "Lets a model score that train_risk_model wrote to FOLDER (default.json and default.md), or one stored before, "
        "by its version; with --challenger it only says beside each score what its own would be. The shop follows "
        "within 30 seconds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", nargs="?", help="the folder, or the version of a stored model")
        parser.add_argument("--challenger", action="store_true", help="try it beside the model that scores")
        parser.add_argument("--retire", action="store_true", help="back to QS_RISK_MODEL or the rules; no challenger")

    @transaction.atomic
    def handle(self, *args: Any, model: str | None, challenger: bool, retire: bool, **options: Any) -> None:
        if retire == bool(model):
            raise CommandError("name a model, or --retire")
        if model is None:
            self.stdout.write(f"{registry.retire()} models retired")
            return
        table, card = found(model)
        try:
            stored = registry.store(table, card, Role.CHALLENGER if challenger else Role.CHAMPION)
        except BadModel as error:
            raise CommandError(f"{model} cannot be read: {error}") from error
        except registry.NotPromoted as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{stored.version} is the {stored.role}\n\n{stored.card}")


def found(model: str) -> tuple[dict[str, Any], str]:
    """The table and the card. Raises CommandError."""
    if stored := TrainedModel.objects.filter(version=model).first():
        return stored.table, stored.card
    folder = Path(model)
    try:
        return json.loads((folder / "default.json").read_text()), (folder / "default.md").read_text()
    except (OSError, ValueError) as error:
        raise CommandError(f"{model} is neither a stored version nor a folder with model and card: {error}") from error
