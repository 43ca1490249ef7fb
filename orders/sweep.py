"""The net under everything: once a second beat has it look for deadlines that passed and work nobody took up.

Rows are claimed with SKIP LOCKED, so one beat or three give the same result.
"""

from datetime import timedelta

from django.db import transaction

from orders import clock
from orders.models import Callback, SweepBeat, Work
from orders.states import Step, Wait

BATCH = 500
# Work begun that recently is most likely in somebody's hands; ringing for it again would be noise.
IN_HAND = timedelta(seconds=2)
WHAT_FOLLOWS = {Wait.PAYMENT: Step.CHECK_PAYMENT, Wait.APPROVAL: Step.EXPIRE_REVIEW}


def sweep() -> list[Step]:
    """Turn due deadlines into work; returns the steps that have work due, for the bell. Three statements when idle."""
    # In their order: a plan that is kept for any time would read all that wait, to see that none is due.
    while Callback.objects.due(clock.expression()).order_by("deadline_at").first() and pick_up_due_callbacks():
        pass
    if not SweepBeat.objects.update(at=clock.expression()):
        SweepBeat.objects.bulk_create([SweepBeat(at=clock.now())], ignore_conflicts=True)
    waiting = Work.objects.due(clock.expression()).exclude(started_at__gt=clock.expression() - IN_HAND)
    return [Step(step) for step in waiting.order_by().values_list("step", flat=True).distinct()]


@transaction.atomic
def pick_up_due_callbacks() -> int:
    """Claim a batch of deadlines that passed. The order itself is moved by a worker.

    It is the order's row that is locked, as everywhere else: whoever holds it is never waited for, in either direction.
    """
    now = clock.now()
    claimed = Callback.objects.due(now).select_related("order").select_for_update(skip_locked=True, of=("order",))
    due = list(claimed.order_by("deadline_at")[:BATCH])
    Callback.objects.filter(pk__in=[callback.pk for callback in due]).update(picked_up_at=now)
    Work.objects.bulk_create(
        [Work(order_id=callback.order_id, step=WHAT_FOLLOWS[Wait(callback.kind)], due_at=now) for callback in due],
        update_conflicts=True,
        update_fields=["due_at"],
        unique_fields=["order", "step"],
    )
    return len(due)
