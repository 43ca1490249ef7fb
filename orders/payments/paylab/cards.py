"""The test cards. A new behaviour is a new line in this table."""

from dataclasses import dataclass

from django.utils.crypto import salted_hmac

from orders.payments.paylab.models import FaultKind


@dataclass(frozen=True)
class Decline:
    """Why a bank says no: Stripe's codes, and the text for the customer."""

    code: str
    decline_code: str
    message: str


@dataclass(frozen=True)
class Card:
    number: str
    brand: str
    does: str  # what the page tells its reader
    decline: Decline | None = None
    asks_bank: bool = False  # 3-D Secure
    fault: FaultKind | None = None

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def grouped(self) -> str:
        """As it is embossed on a card."""
        return " ".join(self.number[i : i + 4] for i in range(0, len(self.number), 4))

    @property
    def fingerprint(self) -> str:
        """Tells that two payments used the same card, without telling which card."""
        return salted_hmac("paylab.card", self.number, algorithm="sha256").hexdigest()[:16]


GENERIC = Decline("card_declined", "generic_decline", "The bank declined this card.")
POOR = Decline("card_declined", "insufficient_funds", "There is not enough money on this card.")
NOT_CONFIRMED = Decline(
    "payment_intent_authentication_failure", "authentication_required", "The payment was not confirmed with the bank."
)

# The numbers are Stripe's own where Stripe has such a card.
CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242", "visa", "Pays."),
        Card("4000000000000002", "visa", "Is declined by the bank.", GENERIC),
        Card("4000000000009995", "visa", "Has insufficient funds.", POOR),
        Card("4000002500003155", "visa", "Its bank asks you first (3-D Secure).", asks_bank=True),
        *(
            Card(number, "visa", f"Pays. {fault.label}", fault=fault)
            for number, fault in (
                ("4000000000005126", FaultKind.REFUND_FAILS),
                ("4000000000007726", FaultKind.REFUND_PENDING),
                ("4000000000100109", FaultKind.CAPTURE_FAILS),
                ("4000000000100208", FaultKind.VOID_FAILS),
                ("4000000000100307", FaultKind.LAPSES),
                ("4000000000100406", FaultKind.WEBHOOK_LOST),
                ("4000000000100505", FaultKind.WEBHOOK_TWICE),
                ("4000000000100604", FaultKind.WEBHOOK_LATE),
                ("4000000000100703", FaultKind.WEBHOOK_OVERTAKEN),
                ("4000000000100802", FaultKind.SLOW),
                ("4000000000100901", FaultKind.TIMEOUT_AFTER),
                ("4000000000101008", FaultKind.ERROR_BEFORE),
                ("4000000000101107", FaultKind.ERROR_AFTER),
            )
        ),
    )
}


class UnusableCard(Exception):
    """Not a card that can be tried; the text is for the customer."""


def find(typed: str) -> Card:
    """The test card with this number, as somebody may type it. Raises UnusableCard."""
    number = typed.translate({ord(" "): None, ord("-"): None, ord("\u00a0"): None})
    if not number:
        raise UnusableCard("Please type a card number.")
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
        raise UnusableCard("A card number has 12 to 19 digits.")
    if not passes_luhn(number):
        raise UnusableCard("This card number is not right. Is there a typing mistake?")
    try:
        return CARDS[number]
    except KeyError:
        raise UnusableCard("PayLab takes only the test cards on this page. This number was not kept.") from None


def whose_bank_asks(fingerprint: str) -> Card:
    """The card of a payment that waits for its holder's word."""
    return next(card for card in CARDS.values() if card.fingerprint == fingerprint)


def passes_luhn(number: str) -> bool:
    """The check digit of ISO/IEC 7812-1."""
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[0::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0
