"""The groups of staff and exactly what each may do. Set after each migration, so both stay as written."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

FULFILLMENT, LEAD, OPS = "Fulfillment", "Lead", "Ops"

# What a reviewer must see to decide. Raw request signals stay with Ops: the order shows what the score made of them.
REVIEWERS_SEE = ("order", "drop", "pair", "event", "callback", "payment", "shipment", "mail")

REVIEWERS_MAY = Q(content_type__app_label="orders", codename__in=[f"view_{model}" for model in REVIEWERS_SEE]) | Q(
    content_type__app_label="fulfillment", codename__in=["view_decision", "decide_review"]
)

PERMISSIONS = {
    FULFILLMENT: REVIEWERS_MAY,
    LEAD: REVIEWERS_MAY | Q(content_type__app_label="fulfillment", codename__in=["cut_link", "extend_deadline"]),
    OPS: Q(content_type__app_label__in=["orders", "fulfillment", "django_celery_beat"], codename__startswith="view_")
    | Q(content_type__app_label="fulfillment", codename="retry_work"),
}


def set_groups(using: str, **_: Any) -> None:
    """Receiver of post_migrate; Django makes the permissions in an earlier receiver of the same signal."""
    for name, permissions in PERMISSIONS.items():
        group, _created = Group.objects.using(using).get_or_create(name=name)
        group.permissions.set(Permission.objects.using(using).filter(permissions))
