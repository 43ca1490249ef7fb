"""A worker takes up the oldest step of its queue, whatever step it is: an index for each queue, made beside the sale."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

LIFE = (
    "score_risk", "open_payment", "check_payment", "expire_review", "capture_payment", "ship", "compensate",
)  # fmt: skip
MAILS = (
    "send_placed", "send_authorised", "send_confirmation", "send_apology", "send_late_money", "send_link",
)  # fmt: skip


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0005_what_a_mark_means")]

    operations = [
        AddIndexConcurrently(
            "work",
            models.Index(
                name="life_due",
                fields=["due_at"],
                condition=models.Q(("parked_at__isnull", True), ("step__in", LIFE)),
            ),
        ),
        AddIndexConcurrently(
            "work",
            models.Index(
                name="mail_due",
                fields=["due_at"],
                condition=models.Q(("parked_at__isnull", True), ("step__in", MAILS)),
            ),
        ),
        RemoveIndexConcurrently("work", "work_due"),
        # By name: Django's own AlterField would also drop the foreign key and make it anew, under locks.
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS orders_work_order_id_2a268721",
            "CREATE INDEX CONCURRENTLY orders_work_order_id_2a268721 ON orders_work (order_id)",
            state_operations=[
                migrations.AlterField(
                    "work",
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="work",
                        to="orders.order",
                    ),
                )
            ],
        ),
    ]
