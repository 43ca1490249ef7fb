"""What we know of an order's money. The provider's own word is always asked before it is acted on."""

from datetime import datetime

from django.db import models

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

    def opened(self, session: Session, *, at: datetime) -> None:
        """The hosted page exists."""
        self.session_ref, self.url, self.state, self.updated_at = session.ref, session.url, PaymentState.OPEN, at
        self.save(update_fields=["session_ref", "url", "state", "updated_at"])

    def note(self, snapshot: PaymentSnapshot, *, at: datetime) -> None:
        """Write down what the provider says, for people to read; decisions ask the provider again."""
        self.intent_ref, self.state = snapshot.intent_ref, snapshot.state
        self.captured, self.refunded = snapshot.captured, snapshot.refunded
        self.capture_before = snapshot.capture_before or self.capture_before
        self.card_fingerprint = snapshot.card_fingerprint or self.card_fingerprint
        self.updated_at = at
        self.save(
            update_fields=[
                "intent_ref",
                "state",
                "captured",
                "refunded",
                "capture_before",
                "card_fingerprint",
                "updated_at",
            ]
        )


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
