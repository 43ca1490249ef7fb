"""Features and reasons move out of the order's row, which is written anew with every step.

The two columns stay in the table, with a default, for the processes of the release before, which still write them.
"""

import django.db.models.deletion
from django.db import migrations, models

COPY = """
INSERT INTO orders_evidence (order_id, features, reasons)
SELECT number, features, reasons FROM orders_order WHERE score IS NOT NULL
"""
DEFAULTS = """
ALTER TABLE orders_order ALTER COLUMN features SET DEFAULT '{}', ALTER COLUMN reasons SET DEFAULT '[]'
"""
NO_DEFAULTS = "ALTER TABLE orders_order ALTER COLUMN features DROP DEFAULT, ALTER COLUMN reasons DROP DEFAULT"


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_one_queue_for_life_one_for_mails")]

    operations = [
        migrations.CreateModel(
            name="Evidence",
            fields=[
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="orders.order",
                    ),
                ),
                (
                    "features",
                    models.JSONField(blank=True, default=dict, help_text="The numbers that the score saw."),
                ),
                (
                    "reasons",
                    models.JSONField(
                        blank=True, default=list, help_text="The strongest, with value and contribution."
                    ),
                ),
            ],
            options={"verbose_name_plural": "evidence"},
        ),
        migrations.RunSQL(COPY, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(DEFAULTS, NO_DEFAULTS)],
            state_operations=[
                migrations.RemoveField(model_name="order", name="features"),
                migrations.RemoveField(model_name="order", name="reasons"),
            ],
        ),
    ]
