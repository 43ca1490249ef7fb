"""What a lead may change about an order in review: what links it, and how long its decision may take."""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.utils.dateparse import parse_datetime

from fulfillment.decisions import (
    InvalidDecision,
    NotAllowed,
    may_decide,
    refuse_own_order,
    refuse_second_decision,
    standing,
)
from fulfillment.locks import refuse_locked
from orders import clock, workflow
from orders.models import Order

LONGEST_REASON = 300  # characters


def may_cut(user: User | AnonymousUser) -> bool:
    return may_decide(user) and user.has_perm("fulfillment.cut_link")


def may_extend(user: User | AnonymousUser) -> bool:
    return may_decide(user) and user.has_perm("fulfillment.extend_deadline")


def remove_link(*, public_id: UUID, staff: User, kind: str, reason: str) -> Order:
    """The order is not linked by this; its score follows, and who said so does not decide it.

    Raises NotAllowed, Order.DoesNotExist, AlreadyDecided by this very person, InvalidDecision, Locked while a colleague
    looks at it, NotLinked.
    """
    if not may_cut(staff):
        raise NotAllowed("You need the permission to remove links.")
    order = Order.objects.get(public_id=public_id)
    order.now = clock.now()
    refuse_own_order(order, staff)
    refuse_second_decision(standing(order), staff)
    refuse_locked(order, staff)
    reason = checked(reason)
    # Not in one transaction with the look at the lock: the group is scored order by order, each under its own.
    return workflow.remove_link(number=order.number, kind=kind, who=staff.get_username(), reason=reason)


def extend_deadline(*, public_id: UUID, staff: User, until: str, reason: str) -> datetime:
    """The decision has until then, an ISO 8601 time with its zone; a form sent twice extends once.

    Raises NotAllowed, Order.DoesNotExist, InvalidDecision, InvalidDeadline, TooLate, AlreadyDecided, NotInReview.
    """
    if not may_extend(staff):
        raise NotAllowed("You need the permission to extend deadlines.")
    order = Order.objects.only("number", "customer_key").get(public_id=public_id)
    refuse_own_order(order, staff)
    deadline = read_time(until)
    workflow.extend_review(number=order.number, until=deadline, who=staff.get_username(), reason=checked(reason))
    return deadline


def checked(reason: str) -> str:
    """Raises InvalidDecision."""
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidDecision(f"Say why, in at most {LONGEST_REASON} characters.")
    return reason


def read_time(text: str) -> datetime:
    """Raises InvalidDecision."""
    try:
        moment = parse_datetime(text)
    except ValueError:  # well formed, and no day of the calendar
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidDecision("The deadline must be a time with its zone.")
    return moment
