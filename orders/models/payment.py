"""What we know of an order's money. The provider's own word is always asked before it is acted on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import models

from orders.errors import KeySpent
from orders.models.rows import update
from orders.payments.provider import PaymentSnapshot, PaymentState, Session


class Payment(models.Model):
    """Begun before the provider is first called, so that a lost answer cannot hide a page that takes money."""

    order = models.OneToOneField("orders.Order", on_delete=models.CASCADE, related_name="payment")
    amount = models.PositiveIntegerField(help_text="Minor units.")
    currency = models.CharField(max_length=3)
    expires_at = models.DateTimeField(
        help_text="When the hosted page closes; part of the request, so it never changes."
    )
    session_ref = models.CharField(max_length=255, blank=True, default="")
    url = models.URLField(max_length=2000, blank=True, default="")
    intent_ref = models.CharField(max_length=255, blank=True, default="")
    state = models.CharField(max_length=20, choices=PaymentState.choices, default=PaymentState.UNOPENED)
    captured = models.PositiveIntegerField(default=0)
    refunded = models.PositiveIntegerField(default=0)
    capture_before = models.DateTimeField(null=True, help_text="When the authorisation lapses.")
    card_fingerprint = models.CharField(max_length=64, blank=True, default="")
    spent_keys = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField()), help_text="Idempotency keys used up, by action."
    )
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="payment_session_once", fields=["session_ref"], condition=~models.Q(session_ref="")
            ),
            models.CheckConstraint(name="payment_state_is_known", condition=models.Q(state__in=PaymentState.values)),
        ]

    def __str__(self) -> str:
        return f"payment of order {self.order_id}"

    @contextmanager
    def keyed(self, action: str) -> Iterator[str]:
        """The idempotency key of an action: `order:action`, the same for each try, whoever makes it and however late.

        A provider repeats its first answer to a key for a day, be it a 500 or a refund that failed since. Such a key
        is spent: the next try, which asks the provider first what is true, carries a new one.
        """
        spent = self.spent_keys.get(action, 0)
        try:
            yield f"{self.order_id}:{action}:{spent + 1}" if spent else f"{self.order_id}:{action}"
        except KeySpent:
            self.spent_keys[action] = spent + 1
            self.save(update_fields=["spent_keys"])
            raise

    def opened(self, session: Session, *, at: datetime) -> None:
        """The hosted page exists."""
        self.session_ref, self.url, self.state, self.updated_at = session.ref, session.url, PaymentState.OPEN, at
        update(self, "session_ref", "url", "state", "updated_at")

    def note(self, snapshot: PaymentSnapshot, *, at: datetime) -> None:
        """Write down what the provider says, for people to read; decisions ask the provider again."""
        self.intent_ref, self.state = snapshot.intent_ref, snapshot.state
        self.captured, self.refunded = snapshot.captured, snapshot.refunded
        self.capture_before = snapshot.capture_before or self.capture_before
        self.card_fingerprint = snapshot.card_fingerprint or self.card_fingerprint
        self.updated_at = at
        update(self, "intent_ref", "state", "captured", "refunded", "capture_before", "card_fingerprint", "updated_at")


class WebhookEvent(models.Model):
    """The inbox: what the provider told us, as it was told, each event once."""

    event_id = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=80)
    ref = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(help_text="The provider's time.")
    received_at = models.DateTimeField()
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, null=True, related_name="webhooks")
    body = models.TextField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class WebhookRefusals(models.Model):
    """How many deliveries were not authentic, by reason: a figure to watch, kept without their bodies."""

    reason = models.CharField(max_length=20, unique=True)
    count = models.PositiveBigIntegerField()

    class Meta:
        verbose_name_plural = "webhook refusals"

    def __str__(self) -> str:
        return f"{self.reason}: {self.count}"


class EventsRead(models.Model):
    """A single row: up to when the provider's own list of events was read, in case that a webhook was lost."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    begun_at = models.DateTimeField(help_text="When somebody last began to read.")
    until = models.DateTimeField()

    class Meta:
        verbose_name_plural = "events read"
        constraints = [models.CheckConstraint(name="events_read_is_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"read until {self.until:%Y-%m-%d %H:%M:%S}"


class Reconciliation(models.Model):
    """One comparison of the provider's whole ledger with the orders."""

    at = models.DateTimeField()
    differences = models.JSONField(default=list, help_text="What does not agree; empty when all is well.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {len(self.differences)} differences"
