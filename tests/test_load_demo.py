"""The demo's drop and people: there after the first start, unharmed by the next."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections

from orders import clock
from orders.demo import open_demo_drop
from orders.models import Drop
from tests.life import open_drop
from tests.reviews import a_user

pytestmark = pytest.mark.django_db


def test_it_works(client):
    call_command("load_demo")
    drop = Drop.objects.current()
    assert (drop.name, drop.price, drop.currency) == ("QuantaSneaks 1000 π", 29900, "usd")
    sizes = {7: 50, 8: 90, 9: 120, 10: 110, 11: 80, 12: 50}
    assert {size: drop.pairs.filter(size=size).count() for size in sizes} == sizes
    assert drop.opens_at <= clock.now() < drop.closes_at


def test_the_people_log_in_with_the_printed_password(settings):
    settings.STAFF_PASSWORD = "the-printed-one"
    call_command("load_demo")
    for name, may in {
        "staff": "fulfillment.decide_review",
        "staff2": "fulfillment.decide_review",
        "ops": "fulfillment.retry_work",
        "admin": "auth.change_user",
    }.items():
        user = User.objects.get(username=name)
        assert user.check_password("the-printed-one")
        assert user.is_staff
        assert user.has_perm(may)
    assert User.objects.get(is_superuser=True).username == "admin"


def test_a_restart_changes_nothing(settings):
    call_command("load_demo")
    before = list(User.objects.order_by("pk").values()), list(Drop.objects.values())
    call_command("load_demo")
    assert (list(User.objects.order_by("pk").values()), list(Drop.objects.values())) == before


def test_a_new_password_holds_after_the_next_start(settings):
    call_command("load_demo")
    settings.STAFF_PASSWORD = "another"
    call_command("load_demo")
    assert all(user.check_password("another") for user in User.objects.all())


def test_a_drop_that_is_there_is_left_alone():
    drop = open_drop()
    call_command("load_demo")
    assert list(Drop.objects.all()) == [drop]


def test_a_fresh_drop_is_the_current_one():
    now = clock.now()
    open_demo_drop(now)
    assert open_demo_drop(now) == Drop.objects.current()


def test_production_has_no_demo(settings):
    settings.DEMO = False
    with pytest.raises(CommandError, match="demo"):
        call_command("load_demo")
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_demo():
    def run(_: int) -> None:
        call_command("load_demo")
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    assert Drop.objects.count() == 1
    assert User.objects.count() == 4


def test_people_who_are_no_demo_are_left_alone():
    rita = a_user("rita", password="secret-password")
    call_command("load_demo")
    rita.refresh_from_db()
    assert rita.check_password("secret-password")
