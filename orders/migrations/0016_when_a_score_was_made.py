"""A score that was made earlier must not take the place of a later one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0015_a_proof_of_work")]

    operations = [
        migrations.AddField(
            "evidence",
            "scored_at",
            models.DateTimeField(help_text="Whatever was known then, the score saw.", null=True),
        ),
    ]
