"""Deciding a review: every rule of it, whoever asks and through whichever door."""

from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction

from fulfillment.models import Decision
from fulfillment.reasons import REASONS, Reason, Verdict, overrules
from orders.customers import customer_key
from orders.errors import Refused
from orders.models import Order
from orders.workflow import approve_order, reject_order

LONGEST_NOTE = 1000  # characters


class NotAllowed(Refused):
    """This person may not decide, or not on this order."""

    code = "forbidden"


class InvalidDecision(Refused):
    """Something about the decision itself is missing or unknown; its author can mend it."""

    code = "invalid"


def may_decide(user: User | AnonymousUser) -> bool:
    """Is this person a reviewer? One whose staff log-in was withdrawn is none, whatever permissions were left over."""
    return user.is_staff and user.has_perm("fulfillment.decide_review")


def refuse_own_order(order: Order, reviewer: User) -> None:
    """Raises NotAllowed for the reviewer's own claim; the mailbox tells, however its address is spelt."""
    if reviewer.email and customer_key(reviewer.email) == order.customer_key:
        raise NotAllowed("This is your own order. A colleague decides it.")


@transaction.atomic
def decide_review(*, public_id: UUID, reviewer: User, verdict: str, reason: str, note: str) -> Decision:
    """Approve or reject, at once and for good.

    Raises NotAllowed, Order.DoesNotExist, InvalidDecision, and as the order's state has it TooLate, AlreadyDecided or
    NotInReview; the very same decision sent twice is decided already.
    """
    if not may_decide(reviewer):
        raise NotAllowed("You need the permission to decide reviews.")
    order = Order.objects.lock(Order.objects.only("number").get(public_id=public_id).number)
    refuse_own_order(order, reviewer)
    note = note.strip()
    check_words(order, verdict=verdict, reason=reason, note=note)
    act = approve_order if verdict == Verdict.APPROVE else reject_order
    decided = act(number=order.number, reviewer=reviewer.get_username(), reason=reason, note=note)
    return Decision.objects.create(
        order=decided,
        reviewer=reviewer,
        verdict=verdict,
        reason=reason,
        note=note,
        score=order.score,
        level=order.level,
        decided_at=decided.now,
    )


def check_words(order: Order, *, verdict: str, reason: str, note: str) -> None:
    """Raises InvalidDecision, with a text for the reviewer."""
    if verdict not in Verdict.values:
        raise InvalidDecision("The decision must be approve or reject. It takes effect at once and cannot be undone.")
    verdict = Verdict(verdict)
    if reason not in REASONS[verdict]:
        raise InvalidDecision(f"Choose a reason. To {verdict}, one of: {', '.join(REASONS[verdict])}.")
    if len(note) > LONGEST_NOTE:
        raise InvalidDecision(f"The note has at most {LONGEST_NOTE} characters.")
    if not note and reason == Reason.OTHER:
        raise InvalidDecision("Another reason needs a note that names it.")
    if not note and overrules(verdict, order.level):
        raise InvalidDecision(f"The score is {order.level}. To {verdict} all the same needs a note that says why.")
