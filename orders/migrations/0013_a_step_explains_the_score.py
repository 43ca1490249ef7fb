"""One more step, beside the order's life, with a queue and an index of its own."""

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models

STEPS = [
    ("score_risk", "Score Risk"), ("open_payment", "Open Payment"), ("check_payment", "Check Payment"),
    ("expire_review", "Expire Review"), ("capture_payment", "Capture Payment"), ("ship", "Ship"),
    ("compensate", "Compensate"), ("send_placed", "Send Placed"), ("send_authorised", "Send Authorised"),
    ("send_confirmation", "Send Confirmation"), ("send_apology", "Send Apology"),
    ("send_late_money", "Send Late Money"), ("send_link", "Send Link"), ("explain_score", "Explain Score"),
]  # fmt: skip
KNOWN = models.Q(step__in=[step for step, _ in STEPS])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0012_what_links_orders")]

    operations = [
        migrations.AlterField("work", "step", models.CharField(choices=STEPS, max_length=20)),
        # Every step of the release before is known to the new one, so nothing is unguarded that it could write.
        migrations.RemoveConstraint("work", "work_step_is_known"),
        AddConstraintNotValid("work", models.CheckConstraint(condition=KNOWN, name="work_step_is_known")),
        ValidateConstraint("work", "work_step_is_known"),
        AddIndexConcurrently(
            "work",
            models.Index(
                name="analysis_due",
                fields=["due_at"],
                condition=models.Q(("parked_at__isnull", True), ("step__in", ("explain_score",))),
            ),
        ),
        migrations.AlterField(
            "evidence",
            "explanation",
            models.JSONField(
                help_text="A language model's words: summary, evidence, checks, and the score they are about.", null=True
            ),
        ),
    ]
