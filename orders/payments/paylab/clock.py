"""PayLab's own time: the database's, and as far ahead of it as somebody told it to be."""

from datetime import datetime, timedelta

from django.db import connection

from orders import clock as world
from orders.payments.paylab.models import Clock


def now() -> datetime:
    """The time at the start of this statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement_timestamp() + make_interval(secs => %s)"
            " + COALESCE((SELECT ahead FROM paylab_clock), interval '0')",
            [world.offset.total_seconds()],
        )
        moment: datetime = cursor.fetchone()[0]
    return moment


def advance(by: timedelta) -> None:
    """Let time pass, for PayLab alone: late events, ends of pages and of authorisations come nearer."""
    row, _ = Clock.objects.get_or_create(defaults={"ahead": timedelta(0)})
    row.ahead += by
    row.save()


def reset() -> None:
    Clock.objects.all().delete()
