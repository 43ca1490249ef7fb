"""What comes next for an order: outbox, retry and lease in one row. How it is done is told in orders/engine.py."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models.expressions import Combinable

from orders.states import ANALYSES, LIFE, MAILS, Step


class WorkQuerySet(models.QuerySet["Work"]):
    def due(self, now: datetime | Combinable) -> "WorkQuerySet":
        """What a worker may take up now."""
        return self.filter(parked_at__isnull=True, due_at__lte=now)

    def by_step(self, now: datetime) -> "models.QuerySet[Work, dict[str, Any]]":
        """For each step: what is due and since when, what failed and will be tried again, what is parked."""
        due = models.Q(parked_at__isnull=True, due_at__lte=now)
        failed = models.Q(parked_at__isnull=True, attempts__gt=0) & ~models.Q(last_error="")
        return (
            self.order_by()
            .values("step")
            .annotate(
                due=models.Count("pk", filter=due),
                oldest=models.Min("due_at", filter=due),
                parked=models.Count("pk", filter=models.Q(parked_at__isnull=False)),
                retrying=models.Count("pk", filter=failed),
            )
        )


class Work(models.Model):
    """One step that an order has before it. The row is deleted in the transaction that records the step."""

    # The unique constraint is its index.
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="work", db_index=False)
    step = models.CharField(max_length=20, choices=Step.choices)
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0, help_text="Runs that failed.")
    crashes = models.PositiveIntegerField(default=0, help_text="Runs that never came back.")
    started_at = models.DateTimeField(null=True, help_text="Set while a worker runs a step that was late.")
    parked_at = models.DateTimeField(
        null=True, help_text="Given up until staff retry it: it crashed its worker each time."
    )
    last_error = models.CharField(max_length=500, blank=True, default="")

    objects = WorkQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "work"
        constraints = [
            models.UniqueConstraint(name="one_work_per_order_and_step", fields=["order", "step"]),
            models.CheckConstraint(name="work_step_is_known", condition=models.Q(step__in=Step.values)),
        ]
        indexes = [
            # One for each queue: thousands of mails that wait for their server are not in the way of an order.
            models.Index(name="life_due", fields=["due_at"], condition=models.Q(parked_at__isnull=True, step__in=LIFE)),
            models.Index(
                name="mail_due", fields=["due_at"], condition=models.Q(parked_at__isnull=True, step__in=MAILS)
            ),
            models.Index(
                name="analysis_due", fields=["due_at"], condition=models.Q(parked_at__isnull=True, step__in=ANALYSES)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} of order {self.order_id}"
