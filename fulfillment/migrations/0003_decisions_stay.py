"""A decision is never changed or deleted, whoever asks: only withdrawn, and that once."""

from django.db import migrations

STAY = """
CREATE FUNCTION fulfillment_decision_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.withdrawn_at IS NULL
       AND to_jsonb(NEW) - 'withdrawn_at' = to_jsonb(OLD) - 'withdrawn_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a decision stays as it was made' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER decision_stays BEFORE UPDATE OR DELETE ON fulfillment_decision
    FOR EACH ROW EXECUTE FUNCTION fulfillment_decision_stays();
"""
GO = """
DROP TRIGGER decision_stays ON fulfillment_decision;
DROP FUNCTION fulfillment_decision_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0002_withdrawn_seconded_locked")]

    operations = [migrations.RunSQL(STAY, GO)]
