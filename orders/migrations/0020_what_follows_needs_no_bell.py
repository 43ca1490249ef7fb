"""A worker goes on by itself from the score to the payment page and from the capture to the parcel (Lease.following).

A bell for these called a worker in vain. Should the first one die between the two, the sweep finds the row.
"""

from django.db import migrations

RINGS = """
CREATE OR REPLACE TRIGGER work_rings AFTER INSERT OR UPDATE OF due_at ON orders_work
    FOR EACH ROW WHEN (NEW.due_at <= statement_timestamp() AND NEW.parked_at IS NULL AND NEW.step NOT IN ({}))
    EXECUTE FUNCTION ring_for_work();
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0019_attempts_are_found_by_address")]

    operations = [
        migrations.RunSQL(
            RINGS.format("'score_risk', 'send_placed', 'open_payment', 'ship'"),
            RINGS.format("'score_risk', 'send_placed'"),
        ),
    ]
