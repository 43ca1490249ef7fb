"""Who is looking at an order. A lock ends by itself, can be taken over, and none is needed to decide."""

from datetime import timedelta

from django.contrib.auth.models import User

from fulfillment.models import ReviewLock
from orders.errors import Refused
from orders.models import Order

LOCK_TIME = timedelta(minutes=3)


class Locked(Refused):
    """A colleague is at it."""

    code = "locked"


def lock_of(order: Order) -> ReviewLock | None:
    """The lock of a locked order that has not ended."""
    return ReviewLock.objects.filter(order=order, until__gt=order.now).select_related("reviewer").first()


def refuse_locked(order: Order, reviewer: User) -> None:
    """Raises Locked."""
    lock = lock_of(order)
    if lock and lock.reviewer_id != reviewer.pk:
        raise Locked(f"{lock.reviewer.get_username()} is looking at this order. Take it over, or choose another.")


def take_lock(order: Order, reviewer: User, *, over: bool = False) -> ReviewLock:
    """Hold a locked order for this person, once more if they have it; a colleague's only `over` their head.

    Raises Locked.
    """
    if not over:
        refuse_locked(order, reviewer)
    until = order.now + LOCK_TIME
    lock, _ = ReviewLock.objects.update_or_create(order=order, defaults={"reviewer": reviewer, "until": until})
    return lock


def leave(order: Order, reviewer: User) -> None:
    """Let a colleague have it. The row stays: with it gone, the desk's fingerprint would be an earlier one again."""
    ReviewLock.objects.filter(order=order, reviewer=reviewer).update(until=order.now)
