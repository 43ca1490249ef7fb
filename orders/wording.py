"""What a customer is told about an order, on its page, in its JSON and in mails: one wording for all."""

from decimal import Decimal

from django.conf import settings

from orders.models import Order
from orders.payments.provider import PaymentState
from orders.states import Outcome, State

MESSAGES = {
    State.PROCESSING: "Your pair is held for you. We are checking the order; the payment page opens in a moment.",
    State.AWAITING_PAYMENT: "Your pair is held for you. Please pay before the time runs out.",
    State.AWAITING_APPROVAL: "Your card is authorised and not charged. A person is now looking at your order.",
    State.APPROVED: "Your order is approved. We are getting your parcel ready.",
    State.SHIPPED: "Your pair is on its way to you.",
}
ENDINGS = {
    Outcome.PAYMENT_TIMEOUT: "The time to pay ran out, so the order ended and the pair went back on sale.",
    Outcome.APPROVAL_TIMEOUT: "We are sorry: we did not manage to decide within the time we promised.",
    Outcome.REJECTED: "We are sorry: after a look at the order we could not accept it.",
    Outcome.PAYMENT_FAILED: "Your bank did not let the payment through in the end, so the order ended.",
    Outcome.CANCELLED: "The order was cancelled, as you asked.",
    Outcome.ERROR: "Something went wrong on our side and we could not fulfil the order. We are sorry.",
    Outcome.NOT_DRAWN: "Your name was not drawn this time. Thank you for taking part.",
}


def message(state: str, outcome: str) -> str:
    """Where an order stands, in a sentence."""
    return MESSAGES.get(State(state)) or ENDINGS[Outcome(outcome)]


def size_text(size: Decimal) -> str:
    """10, or 10.5."""
    return f"{size.normalize():f}"


def size_number(size: Decimal) -> int | float:
    """The same for JSON."""
    return int(size) if size == size.to_integral_value() else float(size)


def money(amount: int, currency: str) -> str:
    return f"{amount / 100:,.2f} {currency.upper()}"


def time_to_decide() -> str:
    """How long a decision may take, in the largest unit that fits: "24 hours"."""
    total = max(1, round(settings.APPROVAL_TIMEOUT.total_seconds()))
    size, unit = next(
        (size, unit) for size, unit in ((3600, "hour"), (60, "minute"), (1, "second")) if total % size == 0
    )
    return f"{total // size} {unit}{'' if total == size else 's'}"


def where_the_money_is(order: Order) -> str:
    """The customer's money, by what the provider last said. "Refund" is said only where money had really moved."""
    payment = getattr(order, "payment", None)
    if payment is None or payment.state in (PaymentState.UNOPENED, PaymentState.OPEN, PaymentState.EXPIRED):
        return "Nothing was charged." if order.outcome else "Nothing has been charged."
    price = money(payment.amount, payment.currency)
    ending = order.state in (State.COMPENSATING, State.COMPENSATED)
    if payment.state == PaymentState.REFUNDED:
        return f"Your refund of {money(payment.refunded, payment.currency)} is on its way to your card."
    if payment.state == PaymentState.VOIDED:
        return "The hold on your card was released; nothing was charged."
    if payment.state == PaymentState.AUTHORISED:
        held = f"{price} is held on your card; nothing has been charged."
        return f"The hold of {price} on your card is being released; nothing was charged." if ending else held
    if ending:
        return f"{price} was charged and is being returned to your card."
    return f"{price} was charged to your card."
