"""Work that becomes due rings at its commit; who writes the row need not remember to."""

from django.db import migrations

RING = """
CREATE FUNCTION ring_for_work() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('work', NEW.step);
    RETURN NULL;
END $$;
CREATE TRIGGER work_rings AFTER INSERT OR UPDATE OF due_at ON orders_work
    FOR EACH ROW WHEN (NEW.due_at <= statement_timestamp() AND NEW.parked_at IS NULL)
    EXECUTE FUNCTION ring_for_work();
"""
SILENCE = """
DROP TRIGGER work_rings ON orders_work;
DROP FUNCTION ring_for_work();
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_journal_and_counts")]

    operations = [migrations.RunSQL(RING, SILENCE)]
