"""What PayLab does wrong when it is told to: by a card, by a session's metadata, on its control page, by command.

Each way adds rows to one table; `play` asks it wherever something could go wrong.
"""

import random
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from orders.payments.paylab.errors import InvalidParam
from orders.payments.paylab.models import Fault, FaultKind, Session

METADATA = "paylab_faults"  # the session's own, separated by commas

# How late, how long or how soon, unless told otherwise; a caller has given up after TIMEOUT_AFTER's.
DELAYS = {
    FaultKind.SLOW: timedelta(seconds=2),
    FaultKind.TIMEOUT_AFTER: timedelta(seconds=10),
    FaultKind.WEBHOOK_LATE: timedelta(minutes=5),
    FaultKind.WEBHOOK_OVERTAKEN: timedelta(seconds=3),
    FaultKind.REFUND_FAILS: timedelta(seconds=2),
    FaultKind.REFUND_PENDING: timedelta(minutes=1),
    FaultKind.LAPSES: timedelta(minutes=1),
}
CALLS = (FaultKind.SLOW, FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER, FaultKind.TIMEOUT_AFTER)
DELIVERIES = (
    FaultKind.WEBHOOK_LOST,
    FaultKind.WEBHOOK_TWICE,
    FaultKind.WEBHOOK_LATE,
    FaultKind.WEBHOOK_OVERTAKEN,
)
# On one session these are played once: what is repeated for ever can never be mended.
ONCE = (*CALLS, FaultKind.VOID_FAILS, FaultKind.REFUND_FAILS, FaultKind.WEBHOOK_OVERTAKEN)


def of_call(action: str) -> tuple[FaultKind, ...]:
    """What can go wrong with a call. It is played before the call's transaction, which a refusal would take back."""
    own = {"capture_intent": (FaultKind.CAPTURE_FAILS,), "cancel_intent": (FaultKind.VOID_FAILS,)}
    return CALLS + own.get(action, ())


def add(
    kind: FaultKind,
    *,
    session: Session | None = None,
    action: str = "",
    rate: float = 1.0,
    left: int | None = None,
    delay: timedelta | None = None,
    seed: int = 0,
) -> Fault:
    """From now on this goes wrong."""
    return Fault.objects.create(
        kind=kind,
        session=session,
        action=action,
        rate=rate,
        left=left,
        delay=DELAYS.get(kind, timedelta(0)) if delay is None else delay,
        seed=seed,
    )


def add_to_session(session: Session, *kinds: FaultKind) -> None:
    """What a card or a session's metadata asks for."""
    for kind in kinds:
        add(kind, session=session, left=1 if kind in ONCE else None)


def asked_for(metadata: dict[str, str]) -> list[FaultKind]:
    """The faults that a session's metadata names. Raises InvalidParam."""
    names = [name.strip() for name in metadata.get(METADATA, "").split(",") if name.strip()]
    if unknown := set(names) - set(FaultKind.values):
        raise InvalidParam(f"There is no fault {min(unknown)!r}.", param=f"metadata[{METADATA}]")
    return [FaultKind(name) for name in names]


def play(*kinds: FaultKind, ref: str = "", action: str = "") -> Fault | None:
    """The fault that is played here and now, if any; `ref` is a session's or its intent's.

    The dice are the seed's: the same calls in the same order meet the same faults.
    """
    where = Q(session=None) | Q(session__ref=ref) | Q(session__intent__ref=ref) if ref else Q(session=None)
    here = Fault.objects.filter(where, kind__in=kinds, action__in={"", action}).exclude(left=0)
    keys = list(here.values_list("pk", flat=True))
    if not keys:
        return None
    with transaction.atomic():
        for fault in Fault.objects.select_for_update().filter(pk__in=keys).exclude(left=0).order_by("pk"):
            fault.rolls += 1
            played = random.Random(f"{fault.seed}:{fault.rolls}").random() < fault.rate  # noqa: S311  # dice, no secret
            if played and fault.left is not None:
                fault.left -= 1
            fault.save(update_fields=["rolls", "left"])
            if played:
                return fault
    return None
