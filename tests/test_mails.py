"""Each mail of an order's life: in text and HTML, with the guest link, honest about the money, and once."""

import email
import email.policy
import re
import resource
import threading
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import connection, transaction

from orders import workflow
from orders.engine import LeaseLost, enqueue, run_due
from orders.errors import AlreadyClaimed, Transient
from orders.models import Mail, Order
from orders.notifications import mails
from orders.states import MAILS, Step
from tests.life import (
    a_claim,
    approve,
    fresh,
    later,
    open_drop,
    paid_order,
    place,
    reject,
    settle,
    strangers,  # noqa: F401
    taken_up,
)


def written(settings: Any) -> dict[str, EmailMessage]:
    return {
        path.name: email.message_from_bytes(path.read_bytes(), policy=email.policy.default)  # type: ignore[arg-type,misc]
        for path in sorted(settings.DATA_DIR.mails.iterdir())
    }


def words(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def mail_of(settings: Any, order: Order, step: Step) -> str:
    return words(written(settings)[f"{order.number:06d}-{step.value}.eml"])


@pytest.mark.usefixtures("strangers")
def test_a_shipped_order_was_told_of_three_times(settings: Any) -> None:
    order = paid_order(open_drop())
    approve(order)
    settle()
    assert list(written(settings)) == [
        f"{order.number:06d}-{step}.eml" for step in ("send_authorised", "send_confirmation", "send_placed")
    ]
    placed = mail_of(settings, order, Step.SEND_PLACED)
    assert "cancel the order" in placed
    authorised = mail_of(settings, order, Step.SEND_AUTHORISED)
    assert re.search(r"decides by \d+ \w+ \d{4}, \d\d:\d\d UTC", authorised)
    assert "Nothing has been charged yet" in authorised
    confirmation = mail_of(settings, order, Step.SEND_CONFIRMATION)
    assert order.shipment.tracking_number in confirmation
    assert "299.00 USD was charged to your card." in confirmation


@pytest.mark.usefixtures("strangers")
def test_every_mail_is_text_and_html_with_the_guest_link(settings: Any) -> None:
    order = paid_order(open_drop())
    for step in MAILS:
        mails.send(order, step)
    for name, message in written(settings).items():
        for kind in ("plain", "html"):
            assert f"{settings.PUBLIC_URL}/orders/{order.public_id}/" in words(message, kind), name
        assert str(order.public_id) not in str(message["Message-ID"]) + str(message["Subject"])
        assert message["To"] == order.email


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("cancelled before paying", "Nothing was charged."),
        ("not paid in time", "Nothing was charged."),
        ("rejected", "The hold on your card was released; nothing was charged."),
        ("not decided in time", "The hold on your card was released; nothing was charged."),
    ],
)
def test_an_apology_says_where_the_money_is_and_speaks_of_no_refund(settings: Any, end: str, told: str) -> None:
    drop = open_drop()
    if end == "rejected":
        reject(order := paid_order(drop))
    elif end == "not decided in time":
        order = paid_order(drop)
        later(settings.APPROVAL_TIMEOUT + timedelta(seconds=1))
    else:
        order = place(drop)
        settle()
        if end == "not paid in time":
            later(settings.PAYMENT_TIMEOUT + timedelta(seconds=1))
        else:
            workflow.cancel_order(public_id=order.public_id)
    settle()
    apology = mail_of(settings, order, Step.SEND_APOLOGY)
    assert told in apology
    assert "refund" not in apology.lower()


@pytest.mark.usefixtures("strangers")
def test_the_word_refund_is_said_where_money_had_moved(settings: Any) -> None:
    order = paid_order(open_drop(), postcode="REFUSE")
    approve(order)
    settle()
    assert fresh(order).outcome == "error"
    assert "Your refund of 299.00 USD" in mail_of(settings, order, Step.SEND_APOLOGY)


@pytest.mark.usefixtures("strangers")
def test_sending_again_is_the_same_mail_in_the_same_file(settings: Any) -> None:
    order = place(open_drop())
    first, second = mails.send(order, Step.SEND_PLACED), mails.send(order, Step.SEND_PLACED)
    assert first == second
    assert list(written(settings)) == [f"{order.number:06d}-send_placed.eml"]


@pytest.mark.usefixtures("strangers")
def test_a_second_link_is_another_mail(settings: Any) -> None:
    drop = open_drop()
    order = place(drop, a_claim("ada@example.org"))
    for _ in range(2):
        with pytest.raises(AlreadyClaimed):
            place(drop, a_claim("ada@example.org"))
        settle()
        later(timedelta(hours=1, seconds=1))
    sent = Mail.objects.filter(kind=Step.SEND_LINK).values_list("message_id", flat=True)
    assert len(set(sent)) == 2
    assert f"{order.number:06d}-send_link-2.eml" in written(settings)


@pytest.mark.usefixtures("strangers")
def test_late_money_is_told_of(settings: Any) -> None:
    order = paid_order(open_drop())
    reject(order)
    settle()
    mails.send(fresh(order), Step.SEND_LATE_MONEY)
    assert "The hold on your card was released" in mail_of(settings, order, Step.SEND_LATE_MONEY)


@pytest.mark.usefixtures("strangers")
def test_what_a_customer_typed_is_no_markup(settings: Any) -> None:
    order = place(open_drop(name="1000 <b>π</b> & more"))
    mails.send(order, Step.SEND_PLACED)
    message = written(settings)[f"{order.number:06d}-send_placed.eml"]
    assert "1000 <b>π</b> & more" in words(message)
    assert "1000 &lt;b&gt;π&lt;/b&gt; &amp; more" in words(message, "html")


@pytest.mark.usefixtures("strangers")
def test_a_mail_server_that_is_away_is_tried_again(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(Transient):
        mails.send(place(open_drop()), Step.SEND_PLACED)


@pytest.mark.usefixtures("strangers")
def test_a_retry_that_staff_press_while_a_mail_is_sent_sends_no_second(monkeypatch: pytest.MonkeyPatch) -> None:
    order = place(open_drop())
    sent = []

    def slowly(order: Order, step: Step) -> str:
        sent.append(step)
        workflow.retry_work(work_id=order.work.get(step=step).pk, who="staff")
        return f"<{order.number}@shop>"

    monkeypatch.setattr(mails, "send", slowly)
    assert run_due(MAILS, workflow.undo_order) == 1
    assert run_due(MAILS, workflow.undo_order) == 0
    assert sent == [Step.SEND_PLACED]
    assert not order.work.filter(step=Step.SEND_PLACED).exists()


@pytest.mark.usefixtures("strangers")
def test_a_link_that_is_asked_for_while_it_is_sent_is_sent_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    order = place(open_drop())
    settle()
    sent = []

    def ask() -> None:
        with transaction.atomic():
            locked = Order.objects.lock(order.number)
            enqueue(locked, Step.SEND_LINK)
            locked.commit()

    def slowly(order: Order, step: Step) -> str:
        sent.append(mails.message_id_of(order, step))
        if len(sent) == 1:
            ask()
        return sent[-1]

    monkeypatch.setattr(mails, "send", slowly)
    ask()
    run_due(MAILS, workflow.undo_order)
    assert [mail.message_id for mail in order.mails.filter(kind=Step.SEND_LINK)] == sent
    assert len(sent) == 2
    assert not order.work.filter(step=Step.SEND_LINK).exists()


@pytest.mark.usefixtures("strangers")
def test_a_worker_whose_session_ended_records_no_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the session went the lock: by now another worker may have sent it."""
    order = place(open_drop())

    def slowly(order: Order, step: Step) -> str:
        connection.close()
        return f"<{order.number}@shop>"

    monkeypatch.setattr(mails, "send", slowly)
    with taken_up(MAILS) as lease:
        assert lease
        with pytest.raises(LeaseLost):
            workflow.send_mail(order, lease)
    assert not order.mails.exists()
    assert order.work.filter(step=Step.SEND_PLACED).exists()


@pytest.mark.usefixtures("strangers")
def test_a_mail_is_journalled_in_the_state_that_its_order_has_by_then() -> None:
    """Whoever has the order locked is waited for; the journal goes on from what they made of it."""
    order = place(open_drop())
    locked = threading.Event()

    def give_up() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            Order.objects.lock(order.number)
            locked.set()
            for _ in range(10_000):
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone() != (0,):
                    break
            workflow.cancel_order(public_id=order.public_id)
        connection.close()

    customer = threading.Thread(target=give_up)
    customer.start()
    locked.wait()
    run_due(MAILS, workflow.undo_order)
    customer.join()
    assert list(order.events.values_list("what", "state")) == [
        ("claimed", "processing"),
        ("cancelled", "compensating"),
        ("mail sent", "compensating"),
    ]


# --- the files --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    from quantasneaks.paths import DataDir

    settings.DATA_DIR = DataDir(tmp_path)
    settings.EMAIL_BACKEND = "orders.notifications.eml.EmlBackend"
    return tmp_path / "mails"


def test_a_file_is_a_whole_message_as_it_travels(folder: Path) -> None:
    mail = EmailMultiAlternatives("Grüße", "Hällo\n", to=["ada@example.org"], headers={"Message-ID": "<1-x@shop>"})
    assert get_connection().send_messages([mail]) == 1
    raw = (folder / "1-x.eml").read_bytes()
    assert b"\r\n" in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert [path.name for path in folder.iterdir()] == ["1-x.eml"]
    assert (folder / "1-x.eml").stat().st_mode & 0o077 == 0


def test_a_mail_that_is_there_is_not_delivered_again(folder: Path) -> None:
    """A worker that dies between sending and recording sends again; the reader sees one mail, the first."""
    for body in ("first", "second"):
        get_connection().send_messages([EmailMultiAlternatives("s", body, headers={"Message-ID": "<1-x@shop>"})])
    assert b"first" in (folder / "1-x.eml").read_bytes()
    assert [path.name for path in folder.iterdir()] == ["1-x.eml"]


def test_a_full_disk_leaves_no_half_mails(folder: Path) -> None:
    """A limit on the size of files fails in the middle of writing, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            get_connection().send_messages([EmailMultiAlternatives("s", "b" * 200, to=["a@example.org"])])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(folder.iterdir()) == []


def test_a_message_id_cannot_lead_out_of_the_folder(folder: Path) -> None:
    get_connection().send_messages([EmailMultiAlternatives("s", "b", headers={"Message-ID": "<../../evil@shop>"})])
    assert [path.name for path in folder.iterdir()] == [".._.._evil.eml"]


def test_a_header_cannot_be_smuggled_in(folder: Path) -> None:
    with pytest.raises(ValueError, match="newlines"):
        get_connection().send_messages([EmailMultiAlternatives("s\nBcc: eve@example.org", "b", to=["a@example.org"])])
