"""The words of a decision: what a reviewer may say, why, and when a word of explanation is due."""

from django.db.models import TextChoices

from orders.states import Level


class Verdict(TextChoices):
    APPROVE = "approve", "Approve"
    REJECT = "reject", "Reject"


class Reason(TextChoices):
    LOOKS_GENUINE = "looks_genuine", "Looks genuine"
    KNOWN_CUSTOMER = "known_customer", "Known customer"
    VERIFIED_BY_CONTACT = "verified_by_contact", "Verified by contact"
    SUSPECTED_BOT = "suspected_bot", "Suspected bot"
    SUSPECTED_RESELLER = "suspected_reseller", "Suspected reseller"
    DUPLICATE_CUSTOMER = "duplicate_customer", "Duplicate customer"
    ADDRESS_PROBLEM = "address_problem", "Address problem"
    PAYMENT_RISK = "payment_risk", "Payment risk"
    CUSTOMER_REQUEST = "customer_request", "Customer request"
    OTHER = "other", "Another reason"


REASONS: dict[Verdict, tuple[Reason, ...]] = {
    Verdict.APPROVE: (Reason.LOOKS_GENUINE, Reason.KNOWN_CUSTOMER, Reason.VERIFIED_BY_CONTACT, Reason.OTHER),
    Verdict.REJECT: (
        Reason.SUSPECTED_BOT,
        Reason.SUSPECTED_RESELLER,
        Reason.DUPLICATE_CUSTOMER,
        Reason.ADDRESS_PROBLEM,
        Reason.PAYMENT_RISK,
        Reason.CUSTOMER_REQUEST,
        Reason.OTHER,
    ),
}

OVERRULED = {Verdict.APPROVE: Level.HIGH, Verdict.REJECT: Level.LOW}
"""The level against which each verdict goes; such a decision is explained in a note."""


def overrules(verdict: Verdict, level: str) -> bool:
    return level == OVERRULED[verdict]


INNOCENT = (Reason.ADDRESS_PROBLEM, Reason.CUSTOMER_REQUEST)
"""Rejections that say nothing of what the customer is up to."""
