"""python manage.py load_demo: the demo's drop and its staff."""

from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from fulfillment.groups import FULFILLMENT, OPS
from orders import clock
from orders.demo import open_demo_drop
from orders.models import Drop

LOCK = 7_331  # two that run at once take turns
STAFF = {"staff": FULFILLMENT, "staff2": FULFILLMENT, "ops": OPS, "admin": None}


class Command(BaseCommand):
    help = "Open the demo drop where there is no drop yet, and set the demo log-ins to QS_STAFF_PASSWORD."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("load_demo is for QS_MODE=demo only.")
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            if not Drop.objects.exists():
                open_demo_drop(clock.now())
            set_staff(settings.STAFF_PASSWORD)


def set_staff(password: str) -> None:
    """The demo's people. A password that is right already is left alone, so that nobody is logged out by a restart."""
    known = User.objects.filter(username="staff").values_list("password", flat=True).first()
    encoded = known if known and check_password(password, known) else make_password(password)
    for name, group in STAFF.items():
        user, _created = User.objects.update_or_create(
            username=name,
            defaults={
                "password": encoded,
                "email": f"{name}@quantasneaks.example",
                "is_active": True,
                "is_staff": True,
                "is_superuser": group is None,
            },
        )
        user.groups.set(Group.objects.filter(name=group))
