"""A callback: something outside (a payment, a decision) that an order waits for, until a deadline."""

from datetime import datetime

from django.db import models
from django.db.models.expressions import Combinable

from orders.states import Resolution, Wait


class CallbackQuerySet(models.QuerySet["Callback"]):
    def open(self) -> "CallbackQuerySet":
        return self.filter(resolved_at__isnull=True)

    def due(self, now: datetime | Combinable) -> "CallbackQuerySet":
        """Past their deadline and not yet picked up; its cost grows with what is due, never with what is open."""
        return self.filter(resolved_at__isnull=True, picked_up_at__isnull=True, deadline_at__lte=now)


class Callback(models.Model):
    """Resolved once: by success, failure or timeout, whichever commits first."""

    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="callbacks")
    kind = models.CharField(max_length=10, choices=Wait.choices)
    opened_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    picked_up_at = models.DateTimeField(null=True, help_text="When the sweep saw that the deadline had passed.")
    resolved_at = models.DateTimeField(null=True)
    resolution = models.CharField(max_length=10, choices=Resolution.choices, blank=True, default="")

    objects = CallbackQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_open_callback_per_order", fields=["order"], condition=models.Q(resolved_at__isnull=True)
            ),
            models.CheckConstraint(name="callback_kind_is_known", condition=models.Q(kind__in=Wait.values)),
            models.CheckConstraint(
                name="callback_resolved_with_a_resolution",
                condition=models.Q(resolved_at__isnull=True, resolution="")
                | models.Q(resolved_at__isnull=False, resolution__in=Resolution.values),
            ),
        ]
        indexes = [
            models.Index(
                name="callback_due",
                fields=["deadline_at"],
                condition=models.Q(resolved_at__isnull=True, picked_up_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of order {self.order_id}"
