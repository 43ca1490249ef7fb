"""The groups of staff hold exactly what is written here, whatever was done to them."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from fulfillment.groups import FULFILLMENT, LEAD, MERCHANT, OPS, SHIPPING
from tests.reviews import a_user

pytestmark = pytest.mark.django_db


def permissions(group: str) -> set[str]:
    pairs = Group.objects.get(name=group).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{code}" for app, code in pairs}


def test_reviewers_may_see_orders_and_decide():
    assert permissions(FULFILLMENT) == {
        "fulfillment.decide_review",
        "fulfillment.view_decision",
        "orders.view_callback",
        "orders.view_drop",
        "orders.view_event",
        "orders.view_mail",
        "orders.view_order",
        "orders.view_pair",
        "orders.view_payment",
        "orders.view_shipment",
    }


def test_leads_may_also_amend_what_is_in_review():
    assert permissions(LEAD) == permissions(FULFILLMENT) | {"fulfillment.cut_link", "fulfillment.extend_deadline"}


def test_shippers_may_see_what_they_pack():
    assert permissions(SHIPPING) == {
        "fulfillment.pack_orders",
        "orders.view_drop",
        "orders.view_order",
        "orders.view_pair",
        "orders.view_shipment",
    }


def test_merchants_make_drops_and_undo_orders_and_decide_no_review():
    seen_by_both = permissions(FULFILLMENT) - {"fulfillment.decide_review"}
    assert permissions(MERCHANT) == seen_by_both | {
        "fulfillment.compensate_order",
        "fulfillment.pack_orders",
        "orders.add_drop",
        "orders.change_drop",
    }


def test_ops_may_see_everything_and_retry():
    models = {
        model
        for app in ("orders", "fulfillment", "django_celery_beat")
        for model in apps.get_app_config(app).get_models()
    }
    views = {f"{model._meta.app_label}.view_{model._meta.model_name}" for model in models}
    assert permissions(OPS) == views | {"fulfillment.retry_work"}


def test_a_migration_puts_the_groups_right_again():
    before = permissions(FULFILLMENT), permissions(OPS)
    Group.objects.get(name=FULFILLMENT).permissions.set(Permission.objects.filter(codename="delete_user"))
    Group.objects.get(name=OPS).delete()
    call_command("migrate", verbosity=0)
    assert (permissions(FULFILLMENT), permissions(OPS)) == before
    assert Group.objects.count() == 5


def test_nobody_in_ops_decides_and_nobody_in_fulfillment_retries():
    assert not a_user("ops", group=OPS).has_perm("fulfillment.decide_review")
    assert not a_user("rita", group=FULFILLMENT).has_perm("fulfillment.retry_work")
