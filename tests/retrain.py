"""`make model`: rebuild the score's own model and its card, bit for bit, with servers of its own."""

import os
import sys
import tempfile
from pathlib import Path

import django
from django.core.management import call_command

from quantasneaks.paths import DataDir
from tests import servers

OUT = Path(__file__).parents[1] / "orders" / "risk" / "models"


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="qs-model-"))
    os.environ["QS_DATA_DIR"] = str(folder)
    started = servers.start(DataDir(folder))
    try:
        django.setup()
        call_command("migrate", verbosity=0)
        call_command("train_risk_model", "--out", str(OUT), "--compare", "lightgbm", *sys.argv[1:])
    finally:
        servers.stop(started, folder)


if __name__ == "__main__":
    main()
