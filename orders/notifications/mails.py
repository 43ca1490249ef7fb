"""The mails of an order's life, in text and HTML. Every one carries the guest link and says where the money is."""

from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from orders.errors import Transient
from orders.models import Order
from orders.states import Actor, Step
from orders.wording import message, money, size_text, time_to_decide, where_the_money_is

SUBJECTS = {
    Step.SEND_PLACED: "Your pair is held for you",
    Step.SEND_AUTHORISED: "Your card is authorised, a person is looking at your order",
    Step.SEND_CONFIRMATION: "Your pair is on its way",
    Step.SEND_APOLOGY: "Your order has ended",
    Step.SEND_LATE_MONEY: "Your late payment goes back to you",
    Step.SEND_LINK: "The link to your order",
}
REPEATABLE = (Step.SEND_LINK, Step.SEND_LATE_MONEY)  # an order may get these more than once

# What there is to record of a mail: the ledger, the journal, and that the step is done.
SENT = f"""
WITH told AS (
    SELECT number, state, outcome, statement_timestamp() + %(offset)s AS now
    FROM orders_order WHERE number = %(order)s FOR UPDATE
), ledger AS (
    INSERT INTO orders_mail (order_id, kind, message_id, sent_at)
    SELECT number, %(step)s, %(message_id)s, now FROM told
), journal AS (
    INSERT INTO orders_event (order_id, at, what, state, outcome, actor, who, cause, attempt, data)
    SELECT number, now, 'mail sent', state, outcome, '{Actor.WORKER}', '', '', %(attempt)s,
           jsonb_build_object('kind', %(step)s::text)
    FROM told
)
DELETE FROM orders_work USING told WHERE id = %(work)s AND (due_at = %(due_at)s OR %(once)s)
"""  # noqa: S608  # constants


def send(order: Order, step: Step) -> str:
    """Tell the customer; returns the Message-ID. Sending again is the same mail. Raises Transient."""
    message_id = message_id_of(order, step)
    paragraphs = paragraphs_of(order, step)
    link = settings.PUBLIC_URL + reverse("orders:status", args=[order.public_id])
    words = {"subject": SUBJECTS[step], "paragraphs": paragraphs, "link": link, "order": order}
    mail = EmailMultiAlternatives(
        subject=SUBJECTS[step],
        body=render_to_string("mails/mail.txt", words),
        to=[order.email],
        headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string("mails/mail.html", words), "text/html")
    try:
        mail.send()
    except OSError as error:  # no connection, no space, or what the mail server said: smtplib's errors too
        raise Transient(f"The mail could not be sent: {type(error).__name__}.") from error
    return message_id


def message_id_of(order: Order, step: Step) -> str:
    """Made of number and kind, so that a mail sent twice has one id. The second of a repeatable kind says so."""
    name = f"{order.number:06d}-{step.value}"
    if step in REPEATABLE and (earlier := order.mails.filter(kind=step).count()):
        name += f"-{earlier + 1}"
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{name}@{domain}>"


def paragraphs_of(order: Order, step: Step) -> list[str]:
    """The words of one mail, written once for its text and its HTML."""
    text = render_to_string(
        f"mails/{step.value.removeprefix('send_')}.txt",
        {
            "order": order,
            "callback": order.open_callback,  # asked for only by the words that name it
            "price": money(order.drop.price, order.drop.currency),
            "size": size_text(order.size),
            "time_to_decide": time_to_decide(),
            "message": message(order.state, order.outcome),
            "money": where_the_money_is(order),
        },
    )
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]
