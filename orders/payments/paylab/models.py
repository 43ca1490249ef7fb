"""PayLab's own books. Nothing outside this folder reads or writes these tables."""

import secrets
import string
from datetime import datetime

from django.db import models

LETTERS = string.ascii_letters + string.digits


def name(prefix: str, length: int = 24) -> str:
    """A reference as Stripe makes them: `pi_` and 24 letters, about 143 random bits."""
    return prefix + "".join(secrets.choice(LETTERS) for _ in range(length))


def session_ref() -> str:
    return name("cs_test_", 58)


def intent_ref() -> str:
    return name("pi_")


def charge_ref() -> str:
    return name("ch_")


def refund_ref() -> str:
    return name("re_")


def event_ref() -> str:
    return name("evt_")


class SessionStatus(models.TextChoices):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


class CaptureMethod(models.TextChoices):
    AUTOMATIC = "automatic"
    MANUAL = "manual"


class IntentStatus(models.TextChoices):
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_ACTION = "requires_action"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class ChargeStatus(models.TextChoices):
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RefundStatus(models.TextChoices):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class FaultKind(models.TextChoices):
    """What PayLab can be told to do wrong."""

    SLOW = "slow", "A call is answered late."
    ERROR_BEFORE = "error_before", "A call is answered 500, and nothing was done."
    ERROR_AFTER = "error_after", "A call is answered 500, though it was done."
    TIMEOUT_AFTER = "timeout_after", "A call is done, and answered when nobody listens any more."
    WEBHOOK_LOST = "webhook_lost", "An event is never delivered."
    WEBHOOK_TWICE = "webhook_twice", "An event is delivered twice."
    WEBHOOK_LATE = "webhook_late", "An event is delivered late."
    WEBHOOK_OVERTAKEN = "webhook_overtaken", "An event is overtaken by the ones after it."
    CAPTURE_FAILS = "capture_fails", "The bank refuses the capture of held money."
    VOID_FAILS = "void_fails", "Held money cannot be let go: answered 500."
    REFUND_FAILS = "refund_fails", "A refund fails a while after it was accepted."
    REFUND_PENDING = "refund_pending", "A refund takes its time."
    LAPSES = "lapses", "Held money goes back early, before anybody takes it."


class Session(models.Model):
    """A hosted page. Its reference stands in the page's address, so it cannot be guessed."""

    ref = models.CharField(max_length=80, unique=True, default=session_ref)
    created = models.DateTimeField()
    status = models.CharField(max_length=10, choices=SessionStatus.choices, default=SessionStatus.OPEN)
    amount = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    capture_method = models.CharField(max_length=10, choices=CaptureMethod.choices)
    line_items = models.JSONField()
    customer_email = models.CharField(max_length=800, blank=True)
    client_reference_id = models.CharField(max_length=200, blank=True)
    metadata = models.JSONField(default=dict)
    intent_metadata = models.JSONField(default=dict, help_text="What its payment intent will carry.")
    intent_description = models.TextField(blank=True)
    success_url = models.TextField()
    cancel_url = models.TextField(blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "paylab_session"
        indexes = [
            models.Index(
                name="paylab_session_due", fields=["expires_at"], condition=models.Q(status=SessionStatus.OPEN)
            )
        ]

    def __str__(self) -> str:
        return self.ref


class Intent(models.Model):
    """A payment: made when somebody first tries to pay a session, as Stripe does."""

    ref = models.CharField(max_length=80, unique=True, default=intent_ref)
    session = models.OneToOneField(Session, on_delete=models.PROTECT, related_name="intent")
    created = models.DateTimeField()
    status = models.CharField(max_length=30, choices=IntentStatus.choices, default=IntentStatus.REQUIRES_PAYMENT_METHOD)
    amount = models.PositiveBigIntegerField()
    amount_received = models.PositiveBigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    capture_method = models.CharField(max_length=10, choices=CaptureMethod.choices)
    description = models.TextField(blank=True)
    metadata = models.JSONField(default=dict)
    canceled_at = models.DateTimeField(null=True)
    cancellation_reason = models.CharField(max_length=30, blank=True)
    asked = models.CharField(max_length=16, blank=True, help_text="Fingerprint of the card whose bank asks its holder.")

    class Meta:
        db_table = "paylab_intent"
        constraints = [
            models.CheckConstraint(
                name="paylab_takes_at_most_the_amount", condition=models.Q(amount_received__lte=models.F("amount"))
            )
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def latest_charge(self) -> "Charge | None":
        return max(self.charges.all(), key=lambda charge: charge.pk, default=None)


class Charge(models.Model):
    """One attempt on a card. Of the card only brand, last four digits and a keyed hash are kept."""

    ref = models.CharField(max_length=80, unique=True, default=charge_ref)
    intent = models.ForeignKey(Intent, on_delete=models.PROTECT, related_name="charges")
    created = models.DateTimeField()
    status = models.CharField(max_length=10, choices=ChargeStatus.choices)
    amount = models.PositiveBigIntegerField()
    amount_captured = models.PositiveBigIntegerField(default=0)
    amount_refunded = models.PositiveBigIntegerField(default=0, help_text="Succeeded and pending refunds.")
    captured = models.BooleanField(default=False)
    capture_before = models.DateTimeField(null=True, help_text="When the held money goes back by itself.")
    brand = models.CharField(max_length=20)
    last4 = models.CharField(max_length=4)
    fingerprint = models.CharField(max_length=16)
    failure_code = models.CharField(max_length=40, blank=True)
    decline_code = models.CharField(max_length=40, blank=True)
    failure_message = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "paylab_charge"
        indexes = [
            models.Index(
                name="paylab_charge_lapses",
                fields=["capture_before"],
                condition=models.Q(captured=False, capture_before__isnull=False),
            )
        ]
        constraints = [
            models.CheckConstraint(
                name="paylab_refunds_at_most_what_was_captured",
                condition=models.Q(amount_refunded__lte=models.F("amount_captured"))
                & models.Q(amount_captured__lte=models.F("amount")),
            ),
            models.UniqueConstraint(
                name="paylab_one_success_per_intent",
                fields=["intent"],
                condition=models.Q(status=ChargeStatus.SUCCEEDED),
            ),
        ]

    def __str__(self) -> str:
        return self.ref


class Refund(models.Model):
    ref = models.CharField(max_length=80, unique=True, default=refund_ref)
    charge = models.ForeignKey(Charge, on_delete=models.PROTECT, related_name="refunds")
    created = models.DateTimeField()
    status = models.CharField(max_length=10, choices=RefundStatus.choices)
    amount = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=40, blank=True)
    metadata = models.JSONField(default=dict)
    settles_at = models.DateTimeField(null=True, help_text="When a pending one ends.")
    settles_as = models.CharField(max_length=10, choices=RefundStatus.choices, default=RefundStatus.SUCCEEDED)

    class Meta:
        db_table = "paylab_refund"
        indexes = [
            models.Index(
                name="paylab_refund_settles", fields=["settles_at"], condition=models.Q(status=RefundStatus.PENDING)
            )
        ]

    def __str__(self) -> str:
        return self.ref


class EventQuerySet(models.QuerySet["Event"]):
    def due(self, now: datetime) -> "EventQuerySet":
        return self.filter(next_attempt_at__lte=now)


class Event(models.Model):
    """Something that happened, written with its cause; the courier delivers it until it is accepted."""

    ref = models.CharField(max_length=80, unique=True, default=event_ref)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, null=True, related_name="events")
    created = models.DateTimeField()
    type = models.CharField(max_length=80)
    object = models.JSONField(help_text="The thing it happened to, as it was then.")
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, help_text="Empty once delivered or given up. Ahead of now while a courier has it in hand."
    )
    delivered_at = models.DateTimeField(null=True)
    fault = models.CharField(max_length=20, choices=FaultKind.choices, blank=True, help_text="Of its delivery.")

    objects = EventQuerySet.as_manager()

    class Meta:
        db_table = "paylab_event"
        indexes = [
            models.Index(
                name="paylab_event_due",
                fields=["next_attempt_at"],
                condition=models.Q(next_attempt_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.ref}"


class IdempotencyKey(models.Model):
    """The stored answer to a POST: the same key with the same parameters gets it again."""

    key = models.CharField(max_length=255, unique=True)
    created = models.DateTimeField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the address and the parameters.")
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)

    class Meta:
        db_table = "paylab_idempotency_key"

    def __str__(self) -> str:
        return self.key


class Fault(models.Model):
    """A fault to be played: at every chance or at a rate, for ever or some times, everywhere or on one session."""

    kind = models.CharField(max_length=20, choices=FaultKind.choices)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, null=True, blank=True, related_name="faults")
    action = models.CharField(max_length=60, blank=True, help_text="Only this call or type of event; empty: any.")
    rate = models.FloatField(default=1.0, help_text="0 to 1: how often it is played where it could be.")
    left = models.PositiveIntegerField(null=True, blank=True, help_text="How many times more; empty: for ever.")
    delay = models.DurationField(help_text="How late, how long, how soon.")
    seed = models.BigIntegerField(default=0)
    rolls = models.PositiveBigIntegerField(default=0, help_text="How often it could have been played.")

    class Meta:
        db_table = "paylab_fault"
        constraints = [
            models.CheckConstraint(
                name="paylab_rate_is_a_share", condition=models.Q(rate__gte=0) & models.Q(rate__lte=1)
            )
        ]

    def __str__(self) -> str:
        return self.kind


class Clock(models.Model):
    """A single row while PayLab's clock is ahead of the world's: its test clock."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    ahead = models.DurationField()

    class Meta:
        db_table = "paylab_clock"
        constraints = [models.CheckConstraint(name="paylab_clock_is_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"{self.ahead} ahead"
