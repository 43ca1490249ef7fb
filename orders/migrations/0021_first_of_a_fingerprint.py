"""A popular phone's fingerprint is that of thousands: who came first with it is read in order, not sorted out."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0020_what_follows_needs_no_bell")]

    operations = [
        AddIndexConcurrently(
            "claimsignals",
            models.Index(
                models.F("print_key"),
                models.F("order") + 0,
                name="links_print_first",
                condition=~models.Q(print_key=""),
            ),
        ),
        RemoveIndexConcurrently("claimsignals", "links_print"),
    ]
