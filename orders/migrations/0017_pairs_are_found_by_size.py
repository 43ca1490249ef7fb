"""One index for both questions of a claim: is there such a size, and which of its pairs is free."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0016_when_a_score_was_made")]

    operations = [
        AddIndexConcurrently("pair", models.Index(name="pair_by_size", fields=["drop", "size", "state", "number"])),
        RemoveIndexConcurrently("pair", "pair_on_sale"),
    ]
