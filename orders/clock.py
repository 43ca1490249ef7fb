"""Time is the database's clock: a worker whose own is wrong must not cancel a paid order.

Tests move time in this one place, by `offset`.
"""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.functions import Now

offset = timedelta(0)


def now() -> datetime:
    """The database's time at the start of this statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment + offset


def expression() -> ExpressionWrapper:
    """The same time as an SQL expression, to be read along with a row."""
    return ExpressionWrapper(Now() + Value(offset), output_field=DateTimeField())
