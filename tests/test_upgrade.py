"""Newer code finishes the orders of every release: whatever state they were in when the shop was updated."""

import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from orders import clock
from orders.audit import audit
from orders.models import Order
from orders.states import FINAL, Outcome, State
from quantasneaks.embedded import POSTGRES_BIN
from tests.life import approve, fresh, later, open_drop, place, settle

RELEASES = Path(__file__).parent / "releases"
SHOP_ID = "release-dump"
DUMPS = sorted(RELEASES.glob("*.sql"))
CHANGED = {  # columns that every kind of page and step reads, and how long they are
    ("orders_order", "name"): 100,
    ("orders_payment", "url"): 2000,
    ("orders_callback", "resolution"): 10,
    ("orders_work", "last_error"): 500,
}


def run_client(program: str, *arguments: str) -> str:
    """A PostgreSQL program on the tests' database."""
    connection.ensure_connection()
    server = connection.connection.info
    where = ("-h", server.host, "-p", str(server.port), "-U", server.user, "-d", server.dbname)
    env = os.environ | {"PGPASSWORD": server.password}
    done = subprocess.run(
        [str(POSTGRES_BIN / program), *where, *arguments], env=env, check=True, capture_output=True, text=True
    )
    return done.stdout


def load(dump: Path) -> None:
    """Put the test database back to what that release left, then migrate it as a deployment does."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    run_client("psql", "-v", "ON_ERROR_STOP=1", "-q", "-f", str(dump))
    connection.close()
    call_command("migrate", verbosity=0)


def go_back_to(dump_time: datetime) -> None:
    """The shop is updated within the minute: how old the dump has become says nothing about it."""
    later(dump_time - clock.now())


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("strangers")
def test_todays_code_finishes_the_orders_of(dump, settings):
    settings.SHOP_ID = SHOP_ID
    load(dump)
    go_back_to(Order.objects.latest("updated_at").updated_at)
    before = dict(Order.objects.values_list("number", "state"))
    assert set(before.values()) == set(State)

    settle()
    for order in Order.objects.filter(state=State.AWAITING_APPROVAL):
        approve(order)
    later(django_settings.PAYMENT_TIMEOUT + timedelta(minutes=2))
    settle()

    after = {order.number: order for order in Order.objects.all()}
    assert set(after) == set(before)
    assert {order.state for order in after.values()} <= set(FINAL)
    for number, state in before.items():
        if state in (State.AWAITING_APPROVAL, State.APPROVED):
            assert after[number].state == State.SHIPPED
        if state == State.AWAITING_PAYMENT:
            assert after[number].outcome == Outcome.PAYMENT_TIMEOUT
    assert audit().violations == []


def migrate(*statements: str) -> None:
    """As the process that migrates does: over a connection of its own, while the shop keeps its own ones."""
    where = {name: connection.get_connection_params()[name] for name in ("host", "dbname", "user")}
    with psycopg.connect(**where, autocommit=True) as another:
        for statement in statements:
            another.execute(statement)


@pytest.mark.usefixtures("strangers")
def test_an_open_shop_stays_open_while_its_columns_change():
    """PostgreSQL refuses a prepared statement that would return something else than when it was prepared."""
    drop, shop = open_drop({"9": 20}), Client()
    often = django_settings.DATABASES["default"]["OPTIONS"]["prepare_threshold"] + 2
    orders = [place(drop) for _ in range(often)]
    pages = ["/", f"/orders/{orders[0].public_id}/", f"/orders/{orders[0].public_id}/status"]
    settle()
    for page in pages * often:
        assert shop.get(page).status_code == 200
    migrate(
        "ALTER TABLE orders_drop ADD number int",  # a name that others have, too
        *(f"ALTER TABLE {table} ALTER {column} TYPE text" for table, column in CHANGED),
    )
    try:
        assert [shop.get(page).status_code for page in pages] == [200] * len(pages)
        assert shop.post(f"/orders/{orders[0].public_id}/cancel").status_code == 303
        place(drop)
        settle()
        assert fresh(orders[0]).state == State.COMPENSATED
    finally:
        migrate(
            "ALTER TABLE orders_drop DROP number",
            *(
                f"ALTER TABLE {table} ALTER {column} TYPE varchar({length})"
                for (table, column), length in CHANGED.items()
            ),
        )
