"""The groups of staff and exactly what each may do. Set after each migration, so all stay as written."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

FULFILLMENT, LEAD, SHIPPING, MERCHANT, OPS = "Fulfillment", "Lead", "Shipping", "Merchant", "Ops"

# What a reviewer must see to decide. Raw request signals stay with Ops: the order shows what the score made of them.
REVIEWERS_SEE = ("order", "drop", "pair", "event", "callback", "payment", "shipment", "mail")
SHIPPERS_SEE = ("order", "drop", "pair", "shipment")


def may(app: str, *codenames: str) -> Q:
    return Q(content_type__app_label=app, codename__in=codenames)


def see(*models: str) -> Q:
    return may("orders", *(f"view_{model}" for model in models))


REVIEWERS_MAY = see(*REVIEWERS_SEE) | may("fulfillment", "view_decision", "decide_review")

PERMISSIONS = {
    FULFILLMENT: REVIEWERS_MAY,
    LEAD: REVIEWERS_MAY | may("fulfillment", "cut_link", "extend_deadline"),
    SHIPPING: see(*SHIPPERS_SEE) | may("fulfillment", "pack_orders"),
    MERCHANT: see(*REVIEWERS_SEE)
    | may("orders", "add_drop", "change_drop")
    | may("fulfillment", "view_decision", "pack_orders", "compensate_order"),
    OPS: Q(content_type__app_label__in=["orders", "fulfillment", "django_celery_beat"], codename__startswith="view_")
    | may("fulfillment", "retry_work"),
}


def set_groups(using: str, **_: Any) -> None:
    """Receiver of post_migrate; Django makes the permissions in an earlier receiver of the same signal."""
    for name, permissions in PERMISSIONS.items():
        group, _created = Group.objects.using(using).get_or_create(name=name)
        group.permissions.set(Permission.objects.using(using).filter(permissions))
