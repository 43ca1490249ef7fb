"""Deciding a review: every rule of it, whoever asks and through whichever door."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import DateTimeField, F, Q, QuerySet
from django.db.models.functions import Coalesce

from fulfillment.locks import leave, refuse_locked
from fulfillment.models import Decision, FirstLook
from fulfillment.reasons import REASONS, Reason, Verdict, overrules
from orders import clock
from orders.customers import customer_key
from orders.errors import AlreadyDecided, Refused
from orders.models import Order
from orders.states import CANCELLABLE, Actor, State
from orders.workflow import approve_order, order_in_review, reject_order, withdraw_decision

EDITS = ("link removed", "scored again")  # what the journal says of a person who changed an order's evidence
LONGEST_NOTE = 1000  # characters
DECIDED = "This order is decided already."
LONGEST_UNDO = 30  # seconds in which a decision may be withdrawn


class NotAllowed(Refused):
    """This person may not decide, or not on this order."""

    code = "forbidden"


class InvalidDecision(Refused):
    """Something about the decision itself is missing or unknown; its author can mend it."""

    code = "invalid"


class ScoreChanged(Refused):
    """The decision was made on a score that the order no longer has."""

    code = "score_changed"


def may_decide(user: User | AnonymousUser) -> bool:
    """Is this person a reviewer? One whose staff log-in was withdrawn is none, whatever permissions were left over."""
    return user.is_staff and user.has_perm("fulfillment.decide_review")


def refuse_own_order(order: Order, reviewer: User) -> None:
    """Raises NotAllowed for the reviewer's own claim; the mailbox tells, however its address is spelt."""
    if reviewer.email and customer_key(reviewer.email) == order.customer_key:
        raise NotAllowed("This is your own order. A colleague decides it.")


@transaction.atomic
def decide_review(
    *, public_id: UUID, reviewer: User, verdict: str, reason: str, note: str, undo: int = 0, seen: str = ""
) -> Decision:
    """Approve or reject; for `undo` seconds it may be withdrawn, and takes effect then.

    `seen` is the score that the reviewer was shown, empty where that is not told. Where QS_FOUR_EYES_SCORE asks for it,
    the first approval is kept and waits for another person's (`needs_second`).
    Raises NotAllowed, Order.DoesNotExist, ScoreChanged, InvalidDecision, Locked, and as the order's state has it
    TooLate, AlreadyDecided or NotInReview; the very same decision sent twice is decided already.
    """
    order = locked_for(public_id, reviewer)
    refuse_edited_order(order, reviewer)
    earlier = list(standing(order))
    refuse_second_decision(earlier, reviewer)
    order = order_in_review(order.number)
    if seen and seen != str(order.score):
        raise ScoreChanged("The score has changed. Please look again.")
    note = note.replace("\r\n", "\n").strip()  # a browser counts a new line once, and sends two characters
    check_words(order, verdict=verdict, reason=reason, note=note)
    if not 0 <= undo <= LONGEST_UNDO:
        raise InvalidDecision(f"A decision can be withdrawn for at most {LONGEST_UNDO} seconds.")
    words = {"reviewer": reviewer.get_username(), "reason": reason, "note": note}
    counted = [decision for decision in earlier if not has_edited(decision.reviewer, order)]
    first_of_two = verdict == Verdict.APPROVE and needs_four_eyes(order) and not counted
    refuse_locked(order, reviewer)
    leave(order, reviewer)
    if first_of_two:
        decided = order
        decided.record("first approval", actor=Actor.REVIEWER, who=words["reviewer"], cause=reason, note=note)
        decided.commit()
    else:
        act = approve_order if verdict == Verdict.APPROVE else reject_order
        decided = act(number=order.number, undo=timedelta(seconds=undo), **words)
    return Decision.objects.create(
        order=decided,
        reviewer=reviewer,
        verdict=verdict,
        reason=reason,
        note=note,
        decided_at=decided.now,
        **as_seen(order, reviewer),
        needs_second=first_of_two,
    )


@transaction.atomic
def withdraw(*, public_id: UUID, reviewer: User) -> Decision:
    """Take one's decision back before it takes effect.

    Raises NotAllowed, Order.DoesNotExist, AlreadyDecided where nothing of this person's is left to withdraw.
    """
    order = locked_for(public_id, reviewer)
    decision = standing(order).filter(reviewer=reviewer).first()
    if decision is None or (decision.needs_second and standing(order).filter(needs_second=False).exists()):
        raise AlreadyDecided("There is no decision of yours left to withdraw.")
    if decision.needs_second:
        order = order_in_review(order.number)
        order.record("decision withdrawn", actor=Actor.REVIEWER, who=reviewer.get_username())
        order.commit()
    else:
        withdraw_decision(number=order.number, reviewer=reviewer.get_username())
    decision.withdrawn_at = order.now
    decision.save(update_fields=["withdrawn_at"])
    return decision


def locked_for(public_id: UUID, reviewer: User) -> Order:
    """The order, locked, for somebody who may decide it. Raises NotAllowed, Order.DoesNotExist."""
    if not may_decide(reviewer):
        raise NotAllowed("You need the permission to decide reviews.")
    order = Order.objects.lock(Order.objects.only("number").get(public_id=public_id).number)
    refuse_own_order(order, reviewer)
    return order


def refuse_edited_order(order: Order, reviewer: User) -> None:
    """Raises NotAllowed for who changed the order's evidence."""
    if has_edited(reviewer, order):
        raise NotAllowed("You changed what this order is linked by. A colleague decides it.")


def has_edited(person: User, order: Order) -> bool:
    """Did they remove a link of the order, or by removing one elsewhere change its score?"""
    names = order.events.filter(what__in=EDITS, actor=Actor.REVIEWER).values("who")
    return any(same_person(editor, person) for editor in User.objects.filter(username__in=names))


def refuse_second_decision(decisions: Iterable[Decision], person: User) -> None:
    """Raises AlreadyDecided where one of an order's standing decisions is theirs, under whichever account."""
    for decision in decisions:
        if same_person(decision.reviewer, person):
            raise AlreadyDecided(
                "Your approval is kept. The rest is a colleague's." if decision.needs_second else DECIDED
            )


def is_blind(order: Order) -> bool:
    """Whether the order is reviewed without its score, in sight of nobody until its review is over."""
    return order.state in CANCELLABLE and hasattr(order, "evidence") and order.evidence.explored


def as_seen(order: Order, reviewer: User) -> dict[str, Any]:
    """What a decision keeps of the score, and of how long its reviewer looked at the order."""
    blind, evidence = is_blind(order), getattr(order, "evidence", None)
    first = FirstLook.objects.filter(order=order, reviewer=reviewer).first()
    return {
        "score": order.score,
        "level": order.level,
        "model": evidence.model if evidence else "",
        "reasons": evidence.reasons if evidence and not blind else [],
        "blind": blind,
        "seconds": max(0, int((order.now - first.at).total_seconds())) if first else None,
    }


def standing(order: Order) -> "QuerySet[Decision]":
    """What was decided and not withdrawn."""
    return Decision.objects.filter(order=order, withdrawn_at__isnull=True).select_related("reviewer")


def last_decision(reviewer: User) -> Decision | None:
    """This person's latest decision that the pages offer to withdraw, and `until` when.

    That of a first approval is for whoever pressed the wrong key; its order's page offers it until the second comes.
    """
    effect, kept = F("order__stored__takes_effect_at"), F("decided_at") + timedelta(seconds=LONGEST_UNDO)
    return (
        Decision.objects.filter(
            Q(needs_second=False, order__stored__isnull=False) | Q(needs_second=True, order__stored__isnull=True),
            reviewer=reviewer,
            withdrawn_at__isnull=True,
            order__state=State.AWAITING_APPROVAL,  # a customer's cancel overtakes what is stored
        )
        .annotate(until=Coalesce(effect, kept, output_field=DateTimeField()))
        .filter(until__gt=clock.expression())
        .select_related("order")
        .only("order__public_id", "verdict", "needs_second")
        .first()
    )


def needs_four_eyes(order: Order) -> bool:
    """Whether an approval of this order takes two people."""
    least = settings.FOUR_EYES_SCORE
    return least is not None and order.score is not None and order.score >= least


def same_person(one: User, other: User) -> bool:
    """Two accounts with one mailbox are one person."""
    mailboxes = [customer_key(user.email) for user in (one, other) if user.email]
    return one.pk == other.pk or (len(mailboxes) == 2 and mailboxes[0] == mailboxes[1])


def check_words(order: Order, *, verdict: str, reason: str, note: str) -> None:
    """Raises InvalidDecision, with a text for the reviewer."""
    if verdict not in Verdict.values:
        raise InvalidDecision("The decision must be approve or reject, or undo to withdraw one.")
    verdict = Verdict(verdict)
    if reason not in REASONS[verdict]:
        raise InvalidDecision(f"Choose a reason. To {verdict}, one of: {', '.join(REASONS[verdict])}.")
    if len(note) > LONGEST_NOTE:
        raise InvalidDecision(f"The note has at most {LONGEST_NOTE} characters.")
    if not note and reason == Reason.OTHER:
        raise InvalidDecision("Another reason needs a note that names it.")
    if not note and overrules(verdict, order.level) and not is_blind(order):
        raise InvalidDecision(f"The score is {order.level}. To {verdict} all the same needs a note that says why.")
