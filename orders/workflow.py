"""The life of an order, from the claim to the parcel or all the way back. Read it from top to bottom.

    claim_pair -> score_risk -> open_payment -> [wait: payment, 1 h] -> [wait: approval, 24 h]
               -> capture_payment -> ship -> shipped

Whatever fails, is rejected, is cancelled or comes too late leads to undo_order, and `compensate` takes back what was
registered, last first: cancel_shipment, return_money, release_pair.

Each step first does its outside effect, with an idempotency key, then records it in one transaction; engine.py tells
how steps are taken up, retried and found again after a crash. Nothing outside this file decides what comes next.
"""

import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from orders.claims import Claim, Standing, bell, key_digest, look, take_pair
from orders.engine import Lease, enqueue, step
from orders.errors import (
    AlreadyClaimed,
    AlreadyDecided,
    InvalidDeadline,
    NotInReview,
    Permanent,
    SaleClosed,
    SaleNotOpen,
    SoldOut,
    StepFailed,
    TooLate,
    Transient,
)
from orders.models import Evidence, Order, Payment, Shipment, StoredDecision, Work
from orders.models.rows import insert
from orders.notifications import mails
from orders.payments import payment_provider
from orders.payments.page import begin_payment, close_page, open_page
from orders.payments.provider import PaymentSnapshot, PaymentState
from orders.risk import analyst, links, signals
from orders.risk.score import Score, rescore, score_order, score_with_card, with_patience
from orders.shipping import carrier
from orders.states import (
    CANCELLABLE,
    FINAL,
    LIFE,
    MAILS,
    UNDOABLE,
    Actor,
    Outcome,
    PairState,
    Resolution,
    State,
    Step,
    Undo,
)
from orders.wording import size_text

log = structlog.get_logger("orders")

LINK_MAIL_PAUSE = timedelta(hours=1)
AT_ONCE = timedelta(0)
LOOK_AGAIN, MOST_LOOKS = 0.01, 200  # seconds, about as long as a claim takes; how often

# --- 1. The claim: a pair is reserved in the very transaction that makes the order ------------------------------------


def claim_pair(*, standing: Standing, claim: Claim, raw_signals: dict[str, Any], key: str | None, digest: str) -> Order:
    """Reserve a numbered pair for this customer; the same key and body give the same order.

    Raises SaleNotOpen, SaleClosed, AlreadyClaimed, SoldOut, IdempotencyConflict.
    """
    for _ in range(MOST_LOOKS):
        if order := standing.replay(digest):
            return order
        if standing.now < standing.opens_at:
            raise SaleNotOpen("The sale is not open yet.")
        if standing.now >= standing.closes_at:
            raise SaleClosed("The sale is over.")
        if standing.earlier:
            send_link_again(standing.earlier)
            raise AlreadyClaimed("This e-mail address has a pair already. We have sent its link to that address again.")
        if not standing.on_sale:
            raise SoldOut(f"Size {size_text(claim.size)} is sold out.")
        if order := place_order(standing=standing, claim=claim, raw_signals=raw_signals, key=key, digest=digest):
            return order
        # The same customer or key was quicker, or each pair is in the hands of a claim that may still fail.
        time.sleep(LOOK_AGAIN)
        again = look(size=claim.size, customer=claim.customer_key, key=key, drop=standing.drop_id)
        assert again
        standing = again
    raise RuntimeError("A pair is on sale and cannot be taken.")


def place_order(
    *, standing: Standing, claim: Claim, raw_signals: dict[str, Any], key: str | None, digest: str
) -> Order | None:
    """The pair, the order, its signals, the journal's first line and what comes next, all or none."""
    if standing.keyed and standing.key_expired:
        Order.objects.filter(number=standing.keyed).update(idempotency_key=None)
    order = Order(
        drop_id=standing.drop_id,
        undo=[Undo.RELEASE_PAIR],
        created_at=standing.now,
        updated_at=standing.now,
        customer_key=claim.customer_key,
        **vars(claim),
        idempotency_key=key_digest(key),
        claim_digest=digest,
    )
    order.now = standing.now
    if not take_pair(order, signals.signals_of(order, raw_signals)):
        return None
    bell.tell_relay()
    return order


# --- 2. The score: informs a person later; it never blocks an order ---------------------------------------------------


@step(Step.SCORE_RISK, during=(State.PROCESSING,))
def score_risk(order: Order, lease: Lease) -> None:
    """Say how likely the order is a reseller's, and look again at the orders it turns out to be linked with."""
    score = score_order(order, order.now)
    look_again_at(score.grown, order.drop_id)
    with lease.recording(State.PROCESSING) as locked:
        take_score(locked, score, lease, "scored")
        enqueue(locked, Step.OPEN_PAYMENT)


def take_score(order: Order, score: Score, lease: Lease, what: str) -> None:
    """The locked order has this score from now on, or keeps a better one; the journal tells why it is a stand-in."""
    order.take_score(score)
    order.record(
        what,
        actor=Actor.WORKER,
        attempt=lease.work.attempts,
        cause=score.cause,
        score=order.score,
        level=order.level,
        model=score.model,
    )


def look_again_at(numbers: Collection[int], drop_id: int) -> None:
    """Score the orders of a drop anew that another one shows to be an operator's. It comes before the step that found
    them is recorded: if its worker is killed, the next one finds them again. One that somebody holds for long keeps
    the score that it has: nobody waits for it.
    """
    for number, newer in rescore(numbers, drop_id):
        try:
            with with_patience():
                sibling = Order.objects.lock(number)
                if sibling.state in CANCELLABLE and sibling.take_score(newer):
                    ask_analyst(sibling)
                    sibling.record(
                        "scored again", actor=Actor.WORKER, score=newer.score, level=newer.level, model=newer.model
                    )
                    sibling.commit()
        except TimeoutError:
            log.warning("not scored again: somebody holds it", order=number)


def remove_link(*, number: int, kind: str, who: str, reason: str) -> Order:
    """Staff say what does not link this order: it is scored again in the same commit, then whoever it was linked with.

    Raises NotLinked, Order.DoesNotExist.
    """
    with transaction.atomic():
        linked = links.cut(number=number, kind=kind, who=who, reason=reason)
        order = Order.objects.lock(number)
        if order.state in CANCELLABLE:
            score_anew(order, score_order(order, order.now), who=who, cause=reason)
    for sibling, newer in rescore(linked - {number}, order.drop_id):
        with transaction.atomic():
            locked = Order.objects.lock(sibling)
            if locked.state in CANCELLABLE:
                score_anew(locked, newer, who=who, cause=f"Order {number} is no longer linked by its {kind}.")
    return order


def score_anew(order: Order, score: Score, *, who: str, cause: str) -> None:
    """A locked order's new score, where a person brought it about: the journal names them."""
    if order.take_score(score):
        ask_analyst(order)
    order.record(
        "scored again",
        actor=Actor.REVIEWER,
        who=who,
        cause=score.cause or cause,
        score=order.score,
        level=order.level,
        model=score.model,
    )
    order.commit()


# --- 3. The payment page, and the wait for the payment ----------------------------------------------------------------


def time_to_pay_is_over(order: Order) -> datetime:
    """`processing` may last as long as the time to pay, no longer."""
    return order.created_at + settings.PAYMENT_TIMEOUT


@step(
    Step.OPEN_PAYMENT,
    during=(State.PROCESSING,),
    undo=Undo.RETURN_MONEY,
    fails_as=Outcome.ERROR,
    until=time_to_pay_is_over,
)
def open_payment(order: Order, lease: Lease) -> None:
    """Open the provider's hosted page; from then on the customer has an hour to pay."""
    begin_payment(order)
    session = open_page(order)
    with lease.recording(State.PROCESSING) as order:
        order.payment.opened(session, at=order.now)
        order.await_payment(deadline=order.now + settings.PAYMENT_TIMEOUT)
        order.record("payment page opened", actor=Actor.WORKER, attempt=lease.work.attempts)


@step(
    Step.CHECK_PAYMENT,
    during=(State.AWAITING_PAYMENT, State.AWAITING_APPROVAL, State.COMPENSATED),
)
def check_payment(order: Order, lease: Lease) -> None:
    """Ask the provider where the money is. A webhook or the deadline rang; who rang does not matter, the truth does.

    At the deadline the page is closed first. Where that fails because somebody paid in time, the payment wins; where
    the provider does not answer, nothing is released and we ask again.
    """
    callback = order.open_callback()
    if order.state == State.AWAITING_PAYMENT and callback and callback.deadline_at <= order.now:
        snapshot = close_page(order)
    else:
        snapshot = payment_provider().fetch(order.payment.session_ref)
    if order.state == State.COMPENSATED and snapshot.state in (PaymentState.AUTHORISED, PaymentState.CAPTURED):
        snapshot = give_back(order, snapshot)
        with lease.recording(State.COMPENSATED) as order:
            order.payment.note(snapshot, at=order.now)
            order.record("late money returned", actor=Actor.PROVIDER, attempt=lease.work.attempts)
            enqueue(order, Step.SEND_LATE_MONEY)
        return
    score = None
    if order.state == State.AWAITING_PAYMENT and snapshot.state == PaymentState.AUTHORISED:
        score = score_with_card(order, snapshot.card_fingerprint)
    if score:
        look_again_at(score.grown, order.drop_id)
    with lease.recording(*lease.rule.during) as order:
        order.payment.note(snapshot, at=order.now)
        if order.state == State.AWAITING_PAYMENT:
            payment_came_in(order, snapshot)
            if score and order.state == State.AWAITING_APPROVAL:
                take_score(order, score, lease, "scored again")
        elif order.state == State.AWAITING_APPROVAL and snapshot.state == PaymentState.VOIDED:
            undo_order(
                order,
                Outcome.PAYMENT_FAILED,
                actor=Actor.PROVIDER,
                what="authorisation lapsed",
                cause="The provider let the authorised money go.",
            )


def payment_came_in(order: Order, snapshot: PaymentSnapshot) -> None:
    """What a look at the provider means for an order that waits for its payment."""
    if snapshot.state == PaymentState.AUTHORISED and snapshot.amount == order.payment.amount:
        order.close_callback(Resolution.SUCCESS)
        order.await_approval(deadline=order.now + settings.APPROVAL_TIMEOUT)
        order.record("payment authorised", actor=Actor.PROVIDER, amount=snapshot.amount)
        enqueue(order, Step.SEND_AUTHORISED)
        ask_analyst(order)
    elif snapshot.state == PaymentState.EXPIRED:
        undo_order(
            order, Outcome.PAYMENT_TIMEOUT, actor=Actor.BEAT, what="payment timed out", cause="Not paid in time."
        )
    elif snapshot.state == PaymentState.OPEN:
        if order.callbacks.open().filter(deadline_at__lte=order.now).exists():
            raise Transient("The page is still open after its deadline.")
    else:
        undo_order(
            order,
            Outcome.PAYMENT_FAILED,
            actor=Actor.PROVIDER,
            what="payment failed",
            cause=f"The provider says {snapshot.state} about {snapshot.amount}.",
        )


# --- 4. The decision: a person's, within 24 hours ---------------------------------------------------------------------


@transaction.atomic
def approve_order(*, number: int, reviewer: str, reason: str, note: str, undo: timedelta = AT_ONCE) -> Order:
    """A reviewer says yes, and may withdraw it for as long as `undo`. Raises TooLate, AlreadyDecided, NotInReview."""
    return decide(number, StoredDecision(approve=True, reviewer=reviewer, reason=reason, note=note), undo)


@transaction.atomic
def reject_order(*, number: int, reviewer: str, reason: str, note: str, undo: timedelta = AT_ONCE) -> Order:
    """A reviewer says no, and may withdraw it for as long as `undo`. Raises TooLate, AlreadyDecided, NotInReview."""
    return decide(number, StoredDecision(approve=False, reviewer=reviewer, reason=reason, note=note), undo)


def decide(number: int, decision: StoredDecision, undo: timedelta) -> Order:
    """At once, or stored with the time at which it takes effect: whatever is killed until then, it will."""
    order = order_in_review(number)
    if undo:
        decision.order, decision.takes_effect_at = order, order.now + undo
        insert(decision)
        what = "approval stored" if decision.approve else "rejection stored"
        order.record(what, actor=Actor.REVIEWER, who=decision.reviewer, cause=decision.reason)
        enqueue(order, Step.EXPIRE_REVIEW, at=decision.takes_effect_at)
    else:
        take_effect(order, decision)
    order.commit()
    return order


def take_effect(order: Order, decision: StoredDecision) -> None:
    """What the reviewer said happens to the locked order."""
    who, reason, note = decision.reviewer, decision.reason, decision.note
    if decision.approve:
        order.close_callback(Resolution.SUCCESS)
        order.approve()
        order.record("approved", actor=Actor.REVIEWER, who=who, cause=reason, note=note)
        enqueue(order, Step.CAPTURE_PAYMENT)
    else:
        undo_order(order, Outcome.REJECTED, actor=Actor.REVIEWER, what="rejected", who=who, cause=reason, note=note)


@transaction.atomic
def withdraw_decision(*, number: int, reviewer: str) -> Order:
    """The reviewer takes back what has not taken effect. Raises AlreadyDecided where nothing of theirs is left."""
    order = Order.objects.lock(number)
    stored = StoredDecision.objects.filter(order=order, reviewer=reviewer, takes_effect_at__gt=order.now)
    if order.state != State.AWAITING_APPROVAL or not stored.delete()[0]:
        raise AlreadyDecided("There is no decision of yours left to withdraw.")
    order.record("decision withdrawn", actor=Actor.REVIEWER, who=reviewer)
    enqueue(order, Step.EXPIRE_REVIEW)  # the deadline may have passed meanwhile
    order.commit()
    return order


def order_in_review(number: int) -> Order:
    """The order, locked, with its decision still open."""
    order = Order.objects.lock(number)
    if order.state in (State.PROCESSING, State.AWAITING_PAYMENT):
        raise NotInReview("This order is not paid yet.")
    if order.outcome == Outcome.APPROVAL_TIMEOUT:
        raise TooLate("The time to decide is over.")
    callback, stored = order.open_review()
    if order.state != State.AWAITING_APPROVAL or stored:
        raise AlreadyDecided("This order is decided already.")
    if callback is None or callback.deadline_at <= order.now:
        raise TooLate("The time to decide is over.")
    return order


@transaction.atomic
def extend_review(*, number: int, until: datetime, who: str, reason: str) -> Order:
    """Staff give the decision time `until` then, at most until the provider lets the money go.

    Raises Order.DoesNotExist, InvalidDeadline, and as the order's state has it TooLate, AlreadyDecided or NotInReview.
    """
    order = order_in_review(number)
    callback, lapses = order.open_callback(), authorisation_lapses(order)
    assert callback
    if until <= callback.deadline_at:
        raise InvalidDeadline("The decision has that much time already.")
    if lapses is None or until > lapses:
        raise InvalidDeadline("The provider does not hold the money for that long.")
    before, callback.deadline_at = callback.deadline_at, until
    callback.save(update_fields=["deadline_at"])
    order.record(
        "deadline extended",
        actor=Actor.REVIEWER,
        who=who,
        cause=reason,
        before=before.isoformat(timespec="seconds"),
        until=until.isoformat(timespec="seconds"),
    )
    order.commit()
    return order


@step(Step.EXPIRE_REVIEW, during=(State.AWAITING_APPROVAL,))
def end_review(order: Order, lease: Lease) -> None:
    """The time to withdraw a decision is over, or nobody decided in time. A decision made in time counts."""
    with lease.recording(State.AWAITING_APPROVAL) as order:
        callback, stored = order.open_review()
        if stored and stored.takes_effect_at > order.now:
            enqueue(order, Step.EXPIRE_REVIEW, at=stored.takes_effect_at)
        elif stored:
            take_effect(order, stored)
        elif callback and callback.deadline_at <= order.now:
            undo_order(
                order, Outcome.APPROVAL_TIMEOUT, actor=Actor.BEAT, what="review timed out", cause="Not decided in time."
            )
        else:  # extended at the very moment at which the sweep picked it up: it must see the later deadline, too
            order.callbacks.open().update(picked_up_at=None)


def ask_analyst(order: Order) -> None:
    """Where a language model is configured it is asked to put the score into words, for whoever decides."""
    if settings.ANALYST_URL and order.state == State.AWAITING_APPROVAL:
        enqueue(order, Step.EXPLAIN_SCORE)


@step(Step.EXPLAIN_SCORE, during=(State.AWAITING_APPROVAL,))
def explain_score(order: Order, lease: Lease) -> None:
    """Beside the order's life, which it never holds up. Without an answer the shop's own words stay; a score that has
    changed meanwhile has asked anew."""
    explanation = analyst.ask(order)
    with lease.recording(State.AWAITING_APPROVAL) as locked:
        if explanation and locked.score == order.score:
            Evidence.objects.filter(order=locked).update(explanation=explanation)


# --- 5. Capture and shipment ------------------------------------------------------------------------------------------


def authorisation_lapses(order: Order) -> datetime | None:
    """`approved` may last as long as the provider holds the money, no longer."""
    return order.payment.capture_before


@step(
    Step.CAPTURE_PAYMENT,
    during=(State.APPROVED,),
    fails_as=Outcome.PAYMENT_FAILED,
    until=authorisation_lapses,
)
def capture_payment(order: Order, lease: Lease) -> None:
    """Take the authorised money. Its undo is the payment's: void or refund, by what the provider says happened."""
    snapshot = payment_provider().fetch(order.payment.session_ref)
    if snapshot.state == PaymentState.AUTHORISED:
        with order.payment.keyed("capture") as key:
            payment_provider().capture(snapshot.intent_ref, amount=order.payment.amount, key=key)
        snapshot = payment_provider().fetch(order.payment.session_ref)
    if snapshot.state != PaymentState.CAPTURED or snapshot.captured != order.payment.amount:
        raise Permanent(f"The provider says {snapshot.state} instead of captured.")
    with lease.recording(State.APPROVED) as order:
        order.payment.note(snapshot, at=order.now)
        order.record("payment captured", actor=Actor.WORKER, attempt=lease.work.attempts, amount=snapshot.captured)
        enqueue(order, Step.SHIP)


@step(
    Step.SHIP,
    during=(State.APPROVED,),
    undo=Undo.CANCEL_SHIPMENT,
    fails_as=Outcome.ERROR,
    until=authorisation_lapses,
)
def ship(order: Order, lease: Lease) -> None:
    """Hand the parcel to the carrier: the pair is sold."""
    parcel = carrier().ship(number=order.number, address=order.address(), key=f"{order.number}:ship")
    with lease.recording(State.APPROVED) as order:
        insert(
            Shipment(order=order, carrier=parcel.carrier, tracking_number=parcel.tracking_number, created_at=order.now)
        )
        order.set_pair(PairState.SOLD)
        order.ship()
        order.record("shipped", actor=Actor.WORKER, attempt=lease.work.attempts, tracking_number=parcel.tracking_number)
        enqueue(order, Step.SEND_CONFIRMATION)


# --- 6. The way back --------------------------------------------------------------------------------------------------


@transaction.atomic
def cancel_order(*, public_id: UUID) -> Order:
    """The customer gives up before approval; once cancelled, cancelling again changes nothing.

    Raises Order.DoesNotExist, TooLate.
    """
    order = Order.objects.lock(Order.objects.only("number").get(public_id=public_id).number)
    if order.outcome == Outcome.CANCELLED:
        return order
    if order.state not in CANCELLABLE:
        raise TooLate("This order can no longer be cancelled.")
    undo_order(order, Outcome.CANCELLED, actor=Actor.CUSTOMER, what="cancelled", cause="The customer gave up.")
    order.commit()
    return order


def undo_order(
    order: Order, outcome: Outcome, *, actor: Actor, what: str, cause: str, who: str = "", **data: Any
) -> None:
    """Turn a locked order round: what it waited for is over, and the compensations begin."""
    timed_out = outcome in (Outcome.PAYMENT_TIMEOUT, Outcome.APPROVAL_TIMEOUT)
    order.close_callback(Resolution.TIMEOUT if timed_out else Resolution.FAILURE)
    order.begin_compensation(outcome)
    order.record(what, actor=actor, who=who, cause=cause, **data)
    enqueue(order, Step.COMPENSATE)


@step(Step.COMPENSATE, during=(State.COMPENSATING,))
def compensate(order: Order, lease: Lease) -> None:
    """Undo what was registered, last first. It is never skipped and never given up; staff see what fails.

    A refund that is under way or keeps failing does not hold the pair: by then no new money can come in.
    """
    for undo in reversed(order.undo):
        COMPENSATIONS[Undo(undo)](order, lease)
    with lease.recording(State.COMPENSATING, last=False) as order:
        left = list(order.undo)
    if left:
        raise Transient(f"Still to be undone: {', '.join(left)}.")
    with lease.recording(State.COMPENSATING) as order:
        order.finish_compensation()
        order.record("compensated", actor=Actor.WORKER, attempt=lease.work.attempts)
        enqueue(order, Step.SEND_APOLOGY)


def cancel_shipment(order: Order, lease: Lease) -> None:
    """The carrier gives the parcel back, if it ever had it."""
    carrier().cancel(number=order.number, key=f"{order.number}:cancel-shipment")
    with lease.recording(State.COMPENSATING, last=False) as order:
        order.undone(Undo.CANCEL_SHIPMENT)
        order.record("shipment cancelled", actor=Actor.WORKER, attempt=lease.work.attempts)


def return_money(order: Order, lease: Lease) -> None:
    """Close the page, then void or refund, by the provider's word and not by ours."""
    payment = Payment.objects.filter(order=order).first()
    if payment is None or not payment.session_ref:
        # The answer to open_payment was lost. The same key and words find its page, or make one to be closed.
        try:
            session = open_page(order) if payment else None  # no row: nothing was ever asked for
        except Permanent:
            session = None  # the provider never accepted the request: there is no page
        with lease.recording(State.COMPENSATING, last=False) as order:
            if session is None:
                order.undone(Undo.RETURN_MONEY)
                order.record("no payment to return", actor=Actor.WORKER, attempt=lease.work.attempts)
                return
            order.payment.opened(session, at=order.now)
    snapshot = close_page(order)
    cause = ""
    try:
        snapshot = give_back(order, snapshot)
    except StepFailed as error:
        cause = str(error) or type(error).__name__  # the page is closed: only what we hold is left to be returned
    with lease.recording(State.COMPENSATING, last=False) as order:
        order.payment.note(snapshot, at=order.now)
        if snapshot.state in (PaymentState.EXPIRED, PaymentState.VOIDED, PaymentState.REFUNDED):
            order.undone(Undo.RETURN_MONEY)
            order.record(f"payment {snapshot.state}", actor=Actor.WORKER, attempt=lease.work.attempts)
        elif cause:
            order.record("money not returned yet", actor=Actor.WORKER, attempt=lease.work.attempts, cause=cause)


def give_back(order: Order, snapshot: PaymentSnapshot) -> PaymentSnapshot:
    """Void what is authorised, refund what is captured and not yet on its way back; says where the money is then."""
    if snapshot.state == PaymentState.AUTHORISED:
        with order.payment.keyed("void") as key:
            payment_provider().void(snapshot.intent_ref, key=key)
    elif snapshot.state == PaymentState.CAPTURED and snapshot.captured > snapshot.refunded + snapshot.refund_pending:
        with order.payment.keyed("refund") as key:
            payment_provider().refund(snapshot.intent_ref, amount=snapshot.captured - snapshot.refunded, key=key)
    else:
        return snapshot
    return payment_provider().fetch(order.payment.session_ref)


def release_pair(order: Order, lease: Lease) -> None:
    """The pair is on sale again while the drop is open."""
    with lease.recording(State.COMPENSATING, last=False) as order:
        if order.payment_may_still_come():
            raise Transient("New money could still come in; the pair is held.")
        order.set_pair(PairState.ON_SALE)
        order.pair = None
        order.undone(Undo.RELEASE_PAIR)
        order.record("pair released", actor=Actor.WORKER, attempt=lease.work.attempts, pair=order.pair_number)


COMPENSATIONS = {
    Undo.RELEASE_PAIR: release_pair,
    Undo.RETURN_MONEY: return_money,
    Undo.CANCEL_SHIPMENT: cancel_shipment,
}


# --- 7. Mails and staff's hand ----------------------------------------------------------------------------------------


@step(*mails.REPEATABLE, during=tuple(State))
@step(*(kind for kind in MAILS if kind not in mails.REPEATABLE), during=tuple(State), once=True)
def send_mail(order: Order, lease: Lease) -> None:
    """Tell the customer. The Message-ID follows from order and kind, so a repeat is the same mail."""
    message_id = mails.send(order, lease.step)
    lease.record(mails.SENT, message_id=message_id)


@transaction.atomic
def send_link_again(number: int) -> None:
    """Mail the guest link once more, at most once an hour."""
    order = Order.objects.lock(number)
    recently = order.mails.filter(kind=Step.SEND_LINK, sent_at__gt=order.now - LINK_MAIL_PAUSE).exists()
    if not recently and not order.work.filter(step=Step.SEND_LINK).exists():
        enqueue(order, Step.SEND_LINK)
        order.commit()


@transaction.atomic
def retry_work(*, work_id: int, who: str) -> None:
    """Staff's retry button: the step is due now, parked or not. Raises Work.DoesNotExist when it is done already."""
    number = Work.objects.only("order_id").get(pk=work_id).order_id
    order = Order.objects.lock(number)
    work = Work.objects.get(pk=work_id)
    work.parked_at, work.crashes, work.due_at = None, 0, order.now
    work.save(update_fields=["parked_at", "crashes", "due_at"])
    order.record("retry asked for", actor=Actor.REVIEWER, who=who, step=work.step)
    order.commit()


RESUMES = {
    State.PROCESSING: Step.SCORE_RISK,
    State.AWAITING_PAYMENT: Step.CHECK_PAYMENT,
    State.AWAITING_APPROVAL: Step.CHECK_PAYMENT,
    State.APPROVED: Step.CAPTURE_PAYMENT,
    State.COMPENSATING: Step.COMPENSATE,
}


@transaction.atomic
def resume_order(*, number: int, who: str) -> None:
    """Staff set an order going: what it has before it is due now, parked or not; where that is nothing, the step that
    its state begins with, whose effects find what was done before. Raises TooLate.
    """
    order = Order.objects.lock(number)
    if order.state in FINAL:
        raise TooLate("This order has ended.")
    if not order.work.filter(step__in=LIFE).update(parked_at=None, crashes=0, due_at=order.now):
        enqueue(order, RESUMES[State(order.state)])
    order.record("resumed", actor=Actor.REVIEWER, who=who)
    order.commit()


@transaction.atomic
def call_off_order(*, number: int, who: str, reason: str) -> None:
    """Staff undo an order that has not shipped, whatever is under way; the customer reads that it was our fault.

    Raises TooLate.
    """
    order = Order.objects.lock(number)
    if order.state not in UNDOABLE:
        raise TooLate("This order has shipped." if order.state == State.SHIPPED else "This order is undone already.")
    undo_order(order, Outcome.ERROR, actor=Actor.REVIEWER, what="called off", who=who, cause=reason)
    order.commit()
