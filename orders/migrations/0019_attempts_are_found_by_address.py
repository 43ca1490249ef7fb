"""Every address has a row a minute, and the planner took them by the minute: each claim read those of all others."""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0018_a_claim_rings_by_itself")]

    operations = [RemoveIndexConcurrently("claimattempts", "attempts_minute")]
