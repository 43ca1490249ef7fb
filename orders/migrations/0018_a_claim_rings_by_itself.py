"""NOTIFY lets one transaction at a time commit, its wait for the disk included; a claim rings when it has committed."""

from django.db import migrations

RINGS = """
CREATE OR REPLACE TRIGGER work_rings AFTER INSERT OR UPDATE OF due_at ON orders_work
    FOR EACH ROW WHEN (NEW.due_at <= statement_timestamp() AND NEW.parked_at IS NULL{})
    EXECUTE FUNCTION ring_for_work();
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0017_pairs_are_found_by_size")]

    operations = [
        # The release before does not ring: until its last process is gone, the sweep does within a second.
        migrations.RunSQL(RINGS.format(" AND NEW.step NOT IN ('score_risk', 'send_placed')"), RINGS.format("")),
    ]
