"""The order: its state machine, its lock and its invariants as constraints."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django_fsm import FSMField, transition

from orders import clock
from orders.models.callback import Callback
from orders.models.commit import write
from orders.models.drop import Drop, Pair
from orders.models.evidence import Evidence
from orders.models.rows import insert, read, update
from orders.models.stored import StoredDecision
from orders.payments.provider import PaymentState
from orders.states import FINAL, UNDOABLE, Actor, Level, Outcome, PairState, Resolution, State, Step, Undo, Wait

if TYPE_CHECKING:
    from orders.models.work import Work
    from orders.risk.score import Score

CHANGEABLE = ("state", "outcome", "pair_id", "score", "level", "score_degraded", "updated_at")
LOCK = "SELECT {columns}, statement_timestamp() + %(offset)s FROM orders_order WHERE number = %(number)s FOR UPDATE"
OPEN_CALLBACK = """
SELECT {columns} FROM orders_callback LEFT JOIN orders_storeddecision USING (order_id)
WHERE order_id = %(number)s AND resolved_at IS NULL
"""
CLOSE_CALLBACK = """
UPDATE orders_callback SET resolution = %(resolution)s, resolved_at = %(now)s
WHERE order_id = %(number)s AND resolved_at IS NULL
"""
EXACT = 10_000  # of the share that is explored
HELD_STATES = [*UNDOABLE, State.SHIPPED]


class OrderQuerySet(models.QuerySet["Order"]):
    def lock(self, number: int) -> "Order":
        """The order, locked until the transaction ends; `order.now` is the database's time. What is changed, recorded
        and enqueued from here on is written by `commit`.

        Every transition begins here, and the order's row is always the first lock taken. Joined to its drop and its
        payment, each lock cost more than the few queries that ask for these.
        """
        assert connection.in_atomic_block, "a lock ends with its transaction, so there must be one"
        found = read(LOCK, {"offset": clock.offset, "number": number}, Order)
        if found is None:
            raise Order.DoesNotExist(f"There is no order {number}.")
        order: Order = found[0]
        order.now = found[1]
        order.as_locked, order.journal, order.upcoming, order.enqueued = order.changeable(), [], {}, []
        return order

    def live(self) -> "OrderQuerySet":
        """Orders that hold their customer's one place in the drop."""
        return self.exclude(state=State.COMPENSATED)


class Order(models.Model):
    """One customer's claim on one pair.

    `number` is the internal name, used in logs, tasks and the provider's metadata. `public_id` is the guest's
    credential and stands in the customer's URLs and mails only.
    """

    number = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = FSMField(default=State.PROCESSING, choices=State.choices, protected=True)
    outcome = models.CharField(max_length=20, choices=Outcome.choices, blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    # The unique constraints are their indexes; each one more is written into with every step.
    drop = models.ForeignKey(Drop, on_delete=models.PROTECT, related_name="orders", db_index=False)
    pair = models.ForeignKey(
        Pair,
        on_delete=models.PROTECT,
        null=True,
        related_name="orders",
        db_index=False,
        help_text="Empty once it is back on sale.",
    )
    pair_number = models.PositiveIntegerField()
    size = models.DecimalField(max_digits=3, decimal_places=1)
    undo = ArrayField(
        models.CharField(max_length=20, choices=Undo.choices),
        default=list,
        blank=True,
        help_text="Compensations registered and not yet done; the last one runs first.",
    )

    # The customer. Raw, as typed; hashed forms for the score are in ClaimSignals.
    email = models.EmailField()
    customer_key = models.CharField(max_length=254, help_text="The mailbox behind the e-mail: one live order each.")
    name = models.CharField(max_length=100)
    line1 = models.CharField(max_length=120)
    line2 = models.CharField(max_length=120, blank=True)
    city = models.CharField(max_length=80)
    postcode = models.CharField(max_length=20)
    country = models.CharField(max_length=2)
    phone = models.CharField(max_length=30, blank=True)

    # A repeated claim with the same key and body is the same claim.
    idempotency_key = models.CharField(max_length=64, null=True, unique=True, help_text="SHA-256 of the key.")
    claim_digest = models.CharField(max_length=64, help_text="SHA-256 of the claim's body.")

    score = models.PositiveSmallIntegerField(null=True)
    level = models.CharField(max_length=6, choices=Level.choices, blank=True, default="")
    score_degraded = models.BooleanField(default=False, help_text="The scorer failed; the score is a stand-in.")

    objects = OrderQuerySet.as_manager()

    now: datetime  # these are set by lock()
    as_locked: dict[str, Any]
    journal: list[dict[str, Any]]  # lines to be written
    upcoming: dict[Step, datetime]  # what comes next, and when: to be written
    enqueued: "list[Work]"  # what comes next, as it was written

    class Meta:
        constraints = [
            models.CheckConstraint(name="order_state_is_known", condition=models.Q(state__in=State.values)),
            models.CheckConstraint(
                name="order_outcome_is_known", condition=models.Q(outcome__in=["", *Outcome.values])
            ),
            models.CheckConstraint(
                name="order_outcome_only_when_undone",
                condition=models.Q(state__in=[State.COMPENSATING, State.COMPENSATED]) ^ models.Q(outcome=""),
            ),
            models.CheckConstraint(
                name="order_holds_a_pair_until_released",
                condition=models.Q(state__in=HELD_STATES, pair__isnull=False)
                | models.Q(state=State.COMPENSATING)
                | models.Q(state=State.COMPENSATED, pair__isnull=True),
            ),
            models.CheckConstraint(
                name="order_compensated_means_nothing_left_to_undo",
                condition=~models.Q(state=State.COMPENSATED) | models.Q(undo=[]),
            ),
            models.CheckConstraint(
                name="order_score_in_range", condition=models.Q(score__isnull=True) | models.Q(score__lte=99)
            ),
            models.UniqueConstraint(name="one_order_per_pair", fields=["pair"], condition=models.Q(pair__isnull=False)),
            models.UniqueConstraint(
                name="one_live_order_per_customer_and_drop",
                fields=["drop", "customer_key"],
                condition=~models.Q(state=State.COMPENSATED),
            ),
        ]
        indexes = [
            models.Index(name="order_open", fields=["state"], condition=~models.Q(state__in=FINAL)),
        ]

    def __str__(self) -> str:
        return f"order {self.number}"

    # --- the state machine: from where to where; workflow.py says when ----------------------------

    @transition(field=state, source=State.PROCESSING, target=State.AWAITING_PAYMENT)
    def await_payment(self, *, deadline: datetime) -> None:
        insert(Callback(order=self, kind=Wait.PAYMENT, opened_at=self.now, deadline_at=deadline))

    @transition(field=state, source=State.AWAITING_PAYMENT, target=State.AWAITING_APPROVAL)
    def await_approval(self, *, deadline: datetime) -> None:
        insert(Callback(order=self, kind=Wait.APPROVAL, opened_at=self.now, deadline_at=deadline))

    @transition(field=state, source=State.AWAITING_APPROVAL, target=State.APPROVED)
    def approve(self) -> None:
        """A reviewer said yes; capture and shipment are under way."""

    @transition(field=state, source=State.APPROVED, target=State.SHIPPED)
    def ship(self) -> None:
        """The parcel is on its way; nothing is left to undo."""
        self.undo = []

    @transition(field=state, source=UNDOABLE, target=State.COMPENSATING)
    def begin_compensation(self, outcome: Outcome) -> None:
        self.outcome = outcome

    @transition(field=state, source=State.COMPENSATING, target=State.COMPENSATED)
    def finish_compensation(self) -> None:
        """Everything registered is undone."""

    # --- reads and records -----------------------------------------------------------------------

    def open_callback(self) -> Callback | None:
        """What the order waits for now; the schema allows at most one."""
        callback, _ = self.open_review()
        return callback

    def open_review(self) -> tuple[Callback | None, StoredDecision | None]:
        """What the order waits for now, and what a reviewer has said meanwhile that is not in effect yet."""
        callback, stored = read(OPEN_CALLBACK, {"number": self.number}, Callback, StoredDecision) or (None, None)
        return callback, stored

    def close_callback(self, resolution: Resolution) -> None:
        """What the order waits for, if anything, is over. It happens once: whoever closes it holds the order's lock."""
        with connection.cursor() as cursor:
            cursor.execute(CLOSE_CALLBACK, {"number": self.number, "resolution": resolution, "now": self.now})

    def payment_may_still_come(self) -> bool:
        """Is there a page that the provider has not yet called closed?"""
        return Undo.RETURN_MONEY in self.undo and self.payment.state in (PaymentState.UNOPENED, PaymentState.OPEN)

    def set_pair(self, state: PairState) -> None:
        """Its pair is sold, or free again."""
        assert self.pair_id is not None
        update(Pair(pk=self.pair_id, state=state), "state")

    def take_score(self, score: "Score") -> bool:
        """The score that the order has from now on, with its evidence. False: it keeps the one that it has, which was
        made later, or made at all where this is a stand-in."""
        if self.score is not None and (
            score.is_stand_in or Evidence.objects.filter(order=self, scored_at__gt=score.at).exists()
        ):
            return False
        self.score, self.level, self.score_degraded = score.score, score.level, score.degraded
        self.updated_at = self.now  # the reasons may be others though the number is the same
        seen = {
            "features": score.features,
            "reasons": score.reasons,
            "model": score.model,
            "scored_at": score.at,
            "challenger": score.challenger,
            "explored": self.is_explored(),
            "explanation": None,  # it was of another score
        }
        Evidence.objects.bulk_create(
            [Evidence(order=self, **seen)], update_conflicts=True, update_fields=[*seen], unique_fields=["order"]
        )
        return True

    def is_explored(self) -> bool:
        """Is it of the share that is reviewed without the score? Its own random id says, so every time the same."""
        return bool(self.public_id.int % EXACT < settings.RISK_EXPLORATION * EXACT)

    def undone(self, undo: Undo) -> None:
        self.undo.remove(undo)

    def register(self, undo: Undo) -> None:
        """Remember how to undo a step, before its outside effect begins; a time-out may hide a success."""
        if undo not in self.undo:
            self.undo.append(undo)

    def record(
        self, what: str, *, actor: Actor, who: str = "", cause: str = "", attempt: int | None = None, **data: Any
    ) -> None:
        """Add to the journal. The state is the one this order is in now, so that the journal folds to it."""
        line = {"what": what, "state": self.state, "outcome": self.outcome, "actor": actor, "who": who}
        self.journal.append(line | {"cause": cause[:500], "attempt": attempt, "data": data})

    def changeable(self) -> dict[str, Any]:
        """What may change after the claim; everything else is as the customer sent it."""
        return {name: getattr(self, name) for name in CHANGEABLE} | {"undo": list(self.undo)}

    def commit(self, *, finished: "Work | None" = None, once: bool = False) -> bool:
        """Write what changed, was recorded and is enqueued since the lock, and delete the step that is `finished`
        unless it was rung for again, or in any case if it is done `once`. Returns whether that row has gone.
        """
        changed = self.changeable() != self.as_locked
        if not (changed or self.journal or self.upcoming or finished):
            return False
        if changed:
            self.updated_at = self.now
        gone = write(self, changed, finished, once)
        self.as_locked, self.journal, self.upcoming = self.changeable(), [], {}
        return gone

    def address(self) -> Mapping[str, str]:
        """Where the parcel goes."""
        return {
            name: getattr(self, name) for name in ("name", "line1", "line2", "city", "postcode", "country", "phone")
        }
