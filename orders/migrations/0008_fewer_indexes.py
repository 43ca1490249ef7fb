"""Indexes that nothing asks for: every step that moves an order writes into each index of its row.

What is asked by drop or pair has a unique index that begins with it; and no unique text is looked up by a prefix.
Dropped by name: Django's own AlterField would take `one_order_per_pair` along, which lies on the same column.
"""

import django.db.models.deletion
from django.db import migrations, models


def drop_index(name: str, columns: str, *state: migrations.AlterField) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        f"CREATE INDEX CONCURRENTLY {name} ON {columns}",
        state_operations=list(state),
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0007_evidence_beside_the_order")]

    operations = [
        drop_index("orders_order_idempotency_key_992d7a80_like", "orders_order (idempotency_key varchar_pattern_ops)"),
        drop_index("orders_webhookevent_event_id_b13514ff_like", "orders_webhookevent (event_id varchar_pattern_ops)"),
        drop_index("orders_mail_message_id_6ae2b873_like", "orders_mail (message_id varchar_pattern_ops)"),
        drop_index(
            "orders_shipment_tracking_number_29c98397_like", "orders_shipment (tracking_number varchar_pattern_ops)"
        ),
        drop_index(
            "orders_order_drop_id_0b054f05",
            "orders_order (drop_id)",
            migrations.AlterField(
                model_name="order",
                name="drop",
                field=models.ForeignKey(
                    db_index=False,
                    on_delete=django.db.models.deletion.PROTECT,
                    related_name="orders",
                    to="orders.drop",
                ),
            ),
        ),
        drop_index(
            "orders_order_pair_id_33622fe9",
            "orders_order (pair_id)",
            migrations.AlterField(
                model_name="order",
                name="pair",
                field=models.ForeignKey(
                    db_index=False,
                    help_text="Empty once it is back on sale.",
                    null=True,
                    on_delete=django.db.models.deletion.PROTECT,
                    related_name="orders",
                    to="orders.pair",
                ),
            ),
        ),
        drop_index(
            "orders_claimsignals_drop_id_f6a0220a",
            "orders_claimsignals (drop_id)",
            migrations.AlterField(
                model_name="claimsignals",
                name="drop",
                field=models.ForeignKey(
                    db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="orders.drop"
                ),
            ),
        ),
        drop_index(
            "orders_pair_drop_id_c16ecaeb",
            "orders_pair (drop_id)",
            migrations.AlterField(
                model_name="pair",
                name="drop",
                field=models.ForeignKey(
                    db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="pairs", to="orders.drop"
                ),
            ),
        ),
    ]
