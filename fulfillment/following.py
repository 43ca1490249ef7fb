"""What a reviewer looks at next."""

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from fulfillment.decisions import locked_for, refuse_edited_order, refuse_second_decision, standing
from fulfillment.filters import Filters
from fulfillment.locks import take_lock
from fulfillment.models import Decision
from orders import clock
from orders.customers import customer_key
from orders.errors import Refused
from orders.workflow import order_in_review


def following(filters: Filters, after: UUID | None = None) -> list[UUID]:
    """What this person may decide and no colleague holds: from the order behind `after` on, then from the front."""
    reviewer = filters.reviewer
    mine = Decision.objects.filter(order=OuterRef("pk"), withdrawn_at__isnull=True, reviewer=reviewer)
    held_by_others = Q(lock__until__gt=clock.expression()) & ~Q(lock__reviewer=reviewer)
    own = Q(customer_key=customer_key(reviewer.email)) if reviewer.email else Q(pk=None)
    reviews = filters.reviews().filter(Q(public_id=after) | ~(held_by_others | own | Exists(mine)))
    rows = list(reviews.values_list("public_id", flat=True))
    here = rows.index(after) if after in rows else -1
    return rows[here + 1 :] + rows[: max(here, 0)]


def claim_first(public_ids: list[UUID], reviewer: User) -> UUID | None:
    """Hold the first of them that is still open and free: no two reviewers are sent to one order."""
    for public_id in public_ids:
        try:
            with transaction.atomic():
                order = order_in_review(locked_for(public_id, reviewer).number)
                refuse_edited_order(order, reviewer)
                refuse_second_decision(standing(order), reviewer)
                take_lock(order, reviewer)
        except Refused:
            continue
        return public_id
    return None
