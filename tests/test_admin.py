"""The admin: everything readable, hardly anything writable, orders found by whatever staff have in hand."""

import codecs
import csv
import io
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from fulfillment.decisions import decide_review, withdraw
from fulfillment.groups import OPS, SHIPPING
from fulfillment.models import Decision, ReviewLock
from orders.models import (
    ClaimAttempts,
    Drop,
    Event,
    EventsRead,
    Evidence,
    Order,
    Reconciliation,
    Shipment,
    StoredDecision,
    SweepBeat,
    TrainedModel,
    WebhookEvent,
    WebhookRefusals,
    Work,
)
from orders.states import Actor, State, Step
from tests.life import open_drop, place, story
from tests.reviews import a_reviewer, a_user, browser, in_review

pytestmark = pytest.mark.django_db
ORDERS, WORK = "/admin/orders/order/", "/admin/orders/work/"
OURS = sorted(
    (model for model in admin.site._registry if model._meta.app_label in ("orders", "fulfillment")),
    key=lambda model: model._meta.label,
)


@pytest.fixture
def boss() -> Any:
    """A superuser's browser."""
    return browser(a_user("boss", is_superuser=True))


def everything() -> Order:
    """An order with a row of every kind around it."""
    order = in_review(open_drop())
    Shipment.objects.create(order=order, carrier="parcellab", tracking_number="PL1", created_at=order.now)
    order.mails.create(kind=Step.SEND_PLACED, message_id="<1@shop>", sent_at=order.now)
    WebhookEvent.objects.create(
        event_id="evt_1", type="x", created_at=order.now, received_at=order.now, order=order, body="{}"
    )
    ClaimAttempts.objects.create(ip_key="k", minute=order.now, count=1)
    SweepBeat.objects.update_or_create(id=1, defaults={"at": order.now})
    EventsRead.objects.update_or_create(id=1, defaults={"begun_at": order.now, "until": order.now})
    Reconciliation.objects.create(at=order.now, differences=["payment pi_1 of order 1: shipped, but refunded"])
    WebhookRefusals.objects.create(reason="signature", count=3)
    Decision.objects.create(
        order=order, reviewer=a_reviewer(), verdict="approve", reason="looks_genuine", decided_at=order.now
    )
    ReviewLock.objects.create(order=order, reviewer=a_reviewer("olga"), until=order.now)
    StoredDecision.objects.create(
        order=order, approve=True, reviewer="rita", reason="looks_genuine", takes_effect_at=order.now
    )
    TrainedModel.objects.create(
        version="v1", table={}, card="# How <it> was judged", stored_at=order.now, role_since=order.now
    )
    return order


def test_a_models_card_is_shown_as_written(boss):
    everything()
    page = boss.get(reverse("admin:orders_trainedmodel_change", args=[TrainedModel.objects.get().pk])).text
    assert "# How &lt;it&gt; was judged" in page


def test_the_guest_link_in_an_event_is_not_shown(boss):
    order = everything()
    event = WebhookEvent.objects.get()
    event.body = f'{{"success_url": "https://shop.example/orders/{order.public_id}/"}}'
    event.save()
    page = boss.get(reverse("admin:orders_webhookevent_change", args=[event.pk])).content.decode()
    assert "success_url" in page
    assert str(order.public_id) not in page


def test_an_event_is_replayed_by_whoever_may_retry_and_by_nobody_else(boss):
    order = everything()
    order.payment.session_ref = "cs_1"
    order.payment.save()
    address, choice = (
        reverse("admin:orders_webhookevent_changelist"),
        {"action": "replay", "_selected_action": [WebhookEvent.objects.get().pk]},
    )
    onlooker = a_user("onlooker")
    onlooker.user_permissions.add(Permission.objects.get(codename="view_webhookevent"))
    browser(onlooker).post(address, choice)
    assert not Work.objects.filter(step=Step.CHECK_PAYMENT).exists()
    assert "Replay these events?" in boss.post(address, choice).text
    assert not Work.objects.filter(step=Step.CHECK_PAYMENT).exists()
    with CaptureQueriesContext(connection) as queries:
        answer = boss.post(address, choice | {"confirmed": "yes"}, follow=True)
    assert "1 of 1 are looked at again" in answer.text
    assert not any('"body"' in query["sql"] for query in queries)
    assert Work.objects.filter(order=order, step=Step.CHECK_PAYMENT).exists()
    assert story(order)[-1] == "event replayed"


def test_it_works(boss):
    assert boss.get("/admin/").status_code == 200


def test_every_model_is_there():
    assert {model.__name__ for model in OURS} == {
        "Callback",
        "ClaimAttempts",
        "ClaimSignals",
        "Decision",
        "Drop",
        "Event",
        "EventsRead",
        "Evidence",
        "Mail",
        "Order",
        "Pair",
        "Payment",
        "Reconciliation",
        "ReviewLock",
        "Shipment",
        "StoredDecision",
        "SweepBeat",
        "TrainedModel",
        "WebhookEvent",
        "WebhookRefusals",
        "Work",
    }


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_model_is_readable_and_a_superuser_changes_nothing(boss, model):
    everything()
    row = model.objects.first()
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    change = reverse(f"{name}_change", args=[row.pk])
    assert boss.get(reverse(f"{name}_changelist")).status_code == 200
    assert boss.get(change).status_code == 200
    assert boss.get(reverse(f"{name}_delete", args=[row.pk])).status_code == 403
    if model is not Drop:
        assert boss.get(reverse(f"{name}_add")).status_code == 403
        before = model.objects.filter(pk=row.pk).values().get()
        assert boss.post(change, {}).status_code == 403
        assert model.objects.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_who_has_no_permission_sees_nothing(model):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert browser(a_user()).get(reverse(f"{name}_changelist")).status_code == 403


@pytest.mark.parametrize("address", ["django_celery_beat/periodictask", "django_celery_beat/intervalschedule"])
def test_the_clockwork_is_read_only(boss, address):
    assert boss.get(f"/admin/{address}/").status_code == 200
    assert boss.get(f"/admin/{address}/add/").status_code == 403


def test_a_list_costs_the_same_however_long_it_is(boss):
    drop = open_drop({"9": 40})
    lists = ("order", "event", "payment", "callback", "claimsignals", "pair", "work", "mail", "evidence", "drop")
    in_review(drop)

    def costs() -> list[int]:
        counted = []
        for model in lists:
            with CaptureQueriesContext(connection) as queries:
                assert boss.get(f"/admin/orders/{model}/").status_code == 200
            counted.append(len(queries))
        return counted

    before = costs()
    for _ in range(20):
        in_review(drop)
    assert costs() == before
    assert max(before) <= 9


# --- finding an order -------------------------------------------------------------------------------------------------


def found_in(client: Any, address: str, term: str) -> list[Any]:
    return list(client.get(address, {"q": term}).context["cl"].result_list)


def found(client: Any, term: str) -> list[int]:
    return [order.number for order in found_in(client, ORDERS, term)]


def test_an_order_is_found_by_number_pair_and_mailbox(boss):
    drop = open_drop({"9": 5})
    place(drop)
    order = in_review(drop, email="Ada.Lovelace@gmail.com")
    assert order.number in found(boss, str(order.number))
    assert order.number in found(boss, f"#{order.number}")
    assert order.number in found(boss, f"{order.pair_number:04d}")
    for email in ("ada.lovelace@GMAIL.com", "lovelace", "adalovelace+shoes@googlemail.com"):
        assert found(boss, email) == [order.number]
    assert found(boss, "nobody@example.org") == found(boss, "9" * 30) == []


def test_a_customers_link_leads_to_the_order_and_leaves_the_address(boss):
    order = in_review(open_drop())
    answer = boss.get(ORDERS, {"q": f"see http://127.0.0.1:8000/orders/{order.public_id}/ please"})
    assert (answer.status_code, answer["Location"]) == (302, f"{ORDERS}{order.number}/change/")
    unknown = "6f0cc6a1-26ab-4a55-9c2c-000000000000"
    answer = boss.get(ORDERS, {"q": unknown})
    assert (answer.status_code, answer["Location"]) == (302, ORDERS)
    assert browser(a_user()).get(ORDERS, {"q": str(order.public_id)}).status_code == 403


def test_the_admins_addresses_and_lists_know_no_public_id(boss):
    order = in_review(open_drop())
    assert str(order.public_id) not in boss.get(ORDERS).text
    links = re.findall(r'(?:href|action)="([^"]*)"', boss.get(f"{ORDERS}{order.number}/change/").text)
    assert [link for link in links if str(order.public_id) in link] == [f"/admin/review/{order.public_id}/"]


def test_other_lists_find_an_order_by_its_number_through_the_index(boss):
    order, other = everything(), in_review(Drop.objects.get())
    lists = [model for model in OURS if any(field.name == "order" for field in model._meta.concrete_fields)]
    for model in lists:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        if not admin.site._registry[model].search_fields:
            continue
        with CaptureQueriesContext(connection) as queries:
            rows = found_in(boss, reverse(name), f"#{order.number}")
        assert {row.order_id for row in rows} == {order.number}, model
        assert not any("UPPER" in query["sql"] for query in queries), model
        assert not {row.order_id for row in found_in(boss, reverse(name), "9" * 30)}, model
    Shipment.objects.create(order=other, carrier="parcellab", tracking_number="00340434", created_at=order.now)
    assert [row.order_id for row in found_in(boss, "/admin/orders/shipment/", "00340434")] == [other.number]


def test_the_inbox_is_not_read_through_for_its_filters(boss):
    everything()
    for address in ("/admin/orders/webhookevent/", "/admin/orders/shipment/"):
        with CaptureQueriesContext(connection) as queries:
            assert boss.get(address).status_code == 200
        assert not any("SELECT DISTINCT" in query["sql"] for query in queries)


# --- an order's page --------------------------------------------------------------------------------------------------


def test_an_orders_page_tells_its_story(boss):
    order = in_review(open_drop())
    decide_review(
        public_id=order.public_id,
        reviewer=a_reviewer("rita"),
        verdict="approve",
        reason="other",
        note="I know her from school.",
    )
    page = boss.get(f"{ORDERS}{order.number}/change/").text
    for shown in (
        "claimed",
        "payment authorised",
        "approved",
        "rita",
        "I know her from school.",
        "12 customers from one IP address",
        order.payment.session_ref,
        order.payment.intent_ref,
        "299.00 USD",
    ):
        assert shown in page
    assert "Decide this order" not in page


def test_a_decision_that_does_not_stand_is_not_the_orders(boss, settings):
    settings.FOUR_EYES_SCORE = 75
    drop = open_drop({"9": 4})
    rita = a_reviewer("rita")
    first, taken_back = in_review(drop, score=90), in_review(drop, score=10)
    words = {"reviewer": rita, "verdict": "approve", "reason": "other", "note": "I know her from school."}
    decide_review(public_id=first.public_id, **words)
    decide_review(public_id=taken_back.public_id, undo=10, **words)
    withdraw(public_id=taken_back.public_id, reviewer=rita)
    for order in (first, taken_back):
        assert "chose to" not in boss.get(f"{ORDERS}{order.number}/change/").text
    table = boss.get("/admin/fulfillment/decision/export.csv").getvalue().decode("utf-8-sig")
    rows = {row["order"]: row for row in csv.DictReader(io.StringIO(table))}
    assert [rows[str(order.number)]["needs_second"] for order in (first, taken_back)] == ["True", "False"]
    assert [bool(rows[str(order.number)]["withdrawn_at"]) for order in (first, taken_back)] == [False, True]


def test_who_packs_sees_no_more_than_the_order_and_its_parcel():
    order = everything()
    work = order.work.create(step=Step.SHIP, due_at=order.now, last_error="The carrier is down.")
    sam, boss = browser(a_user("sam", group=SHIPPING)), browser(a_user("boss", is_superuser=True))
    page = f"{ORDERS}{order.number}/change/"
    for secret in (
        order.payment.session_ref,
        "captured",
        "12 customers from one IP address",
        "chose to",
        "Mails",
        "Timeline",
        "payment authorised",
        work.last_error,
    ):
        assert secret in boss.get(page).text
        assert secret not in sam.get(page).text, secret
    assert "PL1" in sam.get(page).text
    assert ">70<" in boss.get(ORDERS).text
    assert ">70<" not in sam.get(ORDERS).text
    assert "seen_level=high" in boss.get(ORDERS).text
    assert "seen_level=high" not in sam.get(ORDERS).text
    (row,) = export(sam, order)
    assert row["shipment_tracking_number"] == "PL1"
    assert not [name for name in row if name.startswith(("payment", "seen"))]
    assert {"payment_state", "seen_score"} <= export(boss, order)[0].keys()


# --- an order that is reviewed without its score ----------------------------------------------------------------------


def test_the_score_is_nowhere_until_the_review_without_it_is_over(boss, settings):
    settings.FOUR_EYES_SCORE = 75
    drop = open_drop({"9": 5})
    score = 83 if 90 <= place(drop).number < 95 else 93  # no order's number
    order, seen = in_review(drop, score=score), in_review(drop, score=99)
    Evidence.objects.filter(order=order).update(explored=True)
    with transaction.atomic():
        locked = Order.objects.lock(order.number)
        locked.record("scored", actor=Actor.WORKER, score=score, level="high")
        locked.commit()
    words = {"verdict": "approve", "reason": "looks_genuine", "note": ""}
    decide_review(public_id=order.public_id, reviewer=a_reviewer(), **words)
    addresses = [
        ORDERS,
        f"{ORDERS}export.csv",
        f"{ORDERS}{order.number}/change/",
        reverse("admin:orders_event_change", args=[Event.objects.get(what="scored").pk]),
        "/admin/fulfillment/decision/",
        "/admin/fulfillment/decision/export.csv",
        reverse("admin:fulfillment_decision_change", args=[Decision.objects.get().pk]),
    ]
    telling = re.compile(rf">\s*{score}\s*<|,{score},|: {score}\b|12 customers from one IP address")

    def told() -> list[str]:
        return [address for address in addresses if telling.search(boss.get(address).getvalue().decode())]

    assert told() == []
    assert numbers(boss, ORDERS, seen_level="high") == [seen.number]
    assert numbers(boss, "/admin/fulfillment/decision/", seen_level="high") == []
    for forbidden in ({"level__exact": "high"}, {"score__gte": "90"}):
        assert boss.get(ORDERS, forbidden).status_code == 400
    Order.objects.filter(pk=order.pk).update(state=State.APPROVED)
    assert told() == addresses
    assert numbers(boss, ORDERS, seen_level="high") == [seen.number, order.number]


def numbers(client: Any, address: str, **query: str) -> list[int]:
    return [row.pk for row in client.get(address, query).context["cl"].result_list]


# --- the ways on ------------------------------------------------------------------------------------------------------


def test_only_a_reviewer_is_shown_the_way_to_the_desk():
    order = in_review(open_drop())
    assert "Decide this order" in browser(a_reviewer()).get(f"{ORDERS}{order.number}/change/").text
    assert "Decide this order" not in browser(a_user("ops", group=OPS)).get(f"{ORDERS}{order.number}/change/").text


def test_an_unknown_order_leads_back(boss):
    for number in ("999999", "nonsense"):
        assert boss.get(f"{ORDERS}{number}/change/").status_code == 302


# --- the retry button -------------------------------------------------------------------------------------------------


def a_parked_step() -> Work:
    order = place(open_drop())
    work = order.work.get(step=Step.SCORE_RISK)
    Work.objects.filter(pk=work.pk).update(
        parked_at=order.now, crashes=5, last_error="Crashed.", due_at=order.now + timedelta(days=1)
    )
    return work


def test_ops_retry_a_parked_step_on_the_orders_page():
    work, client = a_parked_step(), browser(a_user("ops", group=OPS))
    page = f"{ORDERS}{work.order_id}/change/"
    assert "Crashed." in client.get(page).text
    assert f'name="_selected_action" value="{work.pk}"' in client.get(page).text
    assert 'name="action" value="retry_now"' in client.get(page).text
    choice = {"action": "retry_now", "_selected_action": [work.pk]}
    assert "Retry these steps?" in client.post(WORK, choice).text
    answer = client.post(WORK, choice | {"confirmed": "yes"})
    assert (answer.status_code, answer["Location"]) == (302, page)
    work.refresh_from_db()
    assert (work.parked_at, work.crashes) == (None, 0)
    assert Event.objects.get(what="retry asked for").who == "ops"


def test_a_step_that_is_done_meanwhile_is_no_error():
    work, client = a_parked_step(), browser(a_user("ops", group=OPS))
    choice = {"action": "retry_now", "_selected_action": [work.pk], "confirmed": "yes"}
    work.delete()
    assert "None of these is left." in client.post(WORK, choice).text


def test_a_retry_is_a_post_with_a_token_by_somebody_who_may():
    work = a_parked_step()
    choice = {"action": "retry_now", "_selected_action": [work.pk], "confirmed": "yes"}
    assert browser(a_user("ops", group=OPS), enforce_csrf_checks=True).post(WORK, choice).status_code == 403
    rita = browser(a_reviewer())
    assert rita.post(WORK, choice).status_code == 403
    assert browser().post(WORK, choice).status_code == 302
    assert "Retry now" not in rita.get(f"{ORDERS}{work.order_id}/change/").text
    work.refresh_from_db()
    assert work.parked_at


def test_several_steps_are_retried_from_the_list():
    work, client = a_parked_step(), browser(a_user("ops", group=OPS))
    choice = {"action": "retry_now", "_selected_action": [work.pk]}
    assert "Retry these steps?" in client.post("/admin/orders/work/", choice).text
    work.refresh_from_db()
    assert work.parked_at
    client.post("/admin/orders/work/", choice | {"confirmed": "yes"})
    work.refresh_from_db()
    assert work.parked_at is None
    assert "retry asked for" in story(work.order)


def test_a_viewer_without_the_permission_has_no_retry_in_the_list():
    work = a_parked_step()
    viewer = a_user("viewer")
    viewer.user_permissions.add(Permission.objects.get(codename="view_work"))
    client = browser(viewer)
    assert "retry_now" not in client.get("/admin/orders/work/").text
    client.post("/admin/orders/work/", {"action": "retry_now", "_selected_action": [work.pk], "confirmed": "yes"})
    work.refresh_from_db()
    assert work.parked_at


# --- the export -------------------------------------------------------------------------------------------------------


def export(client: Any, *orders: Order) -> list[dict[str, str]]:
    chosen = [order.number for order in orders]
    answer = client.post(ORDERS, {"action": "export", "_selected_action": chosen})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))


def test_the_export_tells_what_was_ordered_and_paid(boss):
    drop = open_drop()
    order, fresh_one = in_review(drop, name="Ada"), place(drop)
    rows = {row["number"]: row for row in export(boss, order, fresh_one)}
    row = rows[str(order.number)]
    assert (row["name"], row["state"], row["payment_state"], row["payment_amount"]) == (
        "Ada",
        "awaiting_approval",
        "authorised",
        "29900",
    )
    assert rows[str(fresh_one.number)]["payment_state"] == ""
    assert str(order.public_id) not in str(rows)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t"])
def test_a_formula_stays_text_in_the_export(boss, begin):
    formula = f'{begin}HYPERLINK("http://example.org")'
    (row,) = export(boss, in_review(open_drop(), name=formula, phone="+15551234567"))
    assert (row["name"], row["phone"]) == (f"'{formula}", "'+15551234567")


def test_every_list_leaves_as_csv_with_its_permission(boss):
    order, stranger = everything(), browser(a_user("nobody"))
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_export")
        answer = boss.get(address)
        assert answer["Content-Disposition"].endswith('.csv"')
        table = answer.getvalue().decode()
        assert len(list(csv.reader(io.StringIO(table)))) == model.objects.count() + 1, model
        for secret in (str(order.public_id), order.payment.session_ref, "!"):  # an unusable password begins with !
            assert secret not in table, model
        assert stranger.get(address).status_code == 403


def test_a_spreadsheet_reads_the_letters_of_an_export(boss):
    in_review(open_drop(), name="Zoë")
    table = boss.get(f"{ORDERS}export.csv").getvalue()
    assert table.startswith(codecs.BOM_UTF8 + b"number,")
    assert "Zoë" in table.decode("utf-8")


def test_every_export_is_logged(boss, caplog):
    order = place(open_drop())
    with caplog.at_level(logging.INFO, "fulfillment"):
        export(boss, order)
        boss.get(f"{ORDERS}export.csv").getvalue()
    assert sum("list exported" in line for line in caplog.text.splitlines()) == 2


def test_the_export_has_the_filters_and_the_order_of_the_list(boss):
    drop = open_drop()
    waiting, fresh_one = in_review(drop, email="ada@example.org"), place(drop)

    def numbers(**query: str) -> list[str]:
        answer = boss.get(f"{ORDERS}export.csv", query)
        return [row["number"] for row in csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig")))]

    assert numbers() == [str(fresh_one.number), str(waiting.number)]
    assert numbers(state__exact="awaiting_approval") == numbers(q="ada@example.org") == [str(waiting.number)]
    assert boss.get(f"{ORDERS}export.csv", {"size__nonsense": "x"}).status_code in (302, 400)
    assert f"{ORDERS}export.csv?state__exact=processing" in boss.get(ORDERS, {"state__exact": "processing"}).text


def test_an_action_on_all_pages_leaves_by_the_door_that_streams(boss):
    order = place(open_drop())
    choice = {"action": "export", "_selected_action": [order.number], "select_across": "1"}
    answer = boss.post(f"{ORDERS}?state__exact=processing", choice)
    assert answer["Location"] == f"{ORDERS}export.csv?state__exact=processing"


# --- the drop ---------------------------------------------------------------------------------------------------------


def drop_form(drop: Drop, **changes: Any) -> dict[str, Any]:
    fields = {"name": drop.name, "price": drop.price, "currency": drop.currency}
    for name in ("opens_at", "closes_at"):
        fields |= {f"{name}_0": f"{getattr(drop, name):%Y-%m-%d}", f"{name}_1": f"{getattr(drop, name):%H:%M:%S}"}
    return fields | changes


def save(client: Any, drop: Drop, **changes: Any) -> Drop:
    assert client.post(f"/admin/orders/drop/{drop.pk}/change/", drop_form(drop, **changes)).status_code == 302
    return Drop.objects.get(pk=drop.pk)


def test_an_administrator_changes_a_drop_before_the_first_order(boss):
    drop = save(boss, open_drop(), name="Renamed", price=100)
    assert (drop.name, drop.price) == ("Renamed", 100)


def test_the_price_stands_from_the_first_order_on(boss):
    drop = open_drop()
    place(drop)
    drop = save(boss, drop, name="Renamed", price=100)
    assert (drop.name, drop.price) == ("Renamed", 29900)


def test_reviewers_only_look_at_drops():
    drop, client = open_drop(), browser(a_reviewer())
    assert client.get(f"/admin/orders/drop/{drop.pk}/change/").status_code == 200
    assert client.post(f"/admin/orders/drop/{drop.pk}/change/", drop_form(drop, price=1)).status_code == 403


# --- the policy -------------------------------------------------------------------------------------------------------


def test_the_admins_hole_in_the_policy_is_no_larger_than_unfold_needs(boss):
    for address in ("/admin/", "/admin/login/", ORDERS):
        policy = boss.get(address)["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-eval';" in policy + ";"
        assert "style-src 'self' 'unsafe-inline';" in policy + ";"
        assert "http" not in policy
    assert "unsafe" not in boss.get("/admin/review/")["Content-Security-Policy"]
    assert "unsafe" not in boss.get("/healthz")["Content-Security-Policy"]


def test_staff_are_given_an_email_address_by_which_their_own_orders_are_known():
    client, rita = browser(a_user("root", is_superuser=True)), a_user()
    page = f"/admin/auth/user/{rita.pk}/change/"
    typed = {"username": "rita", "is_active": "on", "date_joined_0": "2026-11-27", "date_joined_1": "12:00:00"}
    assert "the orders of their own" in client.post(page, typed | {"is_staff": "on"}).text
    assert client.post(page, typed | {"is_staff": "on", "email": "rita@shop.example"}).status_code == 302
    assert client.post(page, typed).status_code == 302  # a log-in that is no longer of the staff needs none
