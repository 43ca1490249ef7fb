"""The journal refuses to be changed; the counts of claim attempts write no WAL."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal is append-only';
END $$;
CREATE TRIGGER journal_is_append_only BEFORE UPDATE OR DELETE ON orders_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
ALLOW = """
DROP TRIGGER journal_is_append_only ON orders_event;
DROP FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_the_order")]

    operations = [
        migrations.RunSQL(REFUSE, ALLOW),
        migrations.RunSQL(
            "ALTER TABLE orders_claimattempts SET UNLOGGED", "ALTER TABLE orders_claimattempts SET LOGGED"
        ),
    ]
