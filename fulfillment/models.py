"""What the reviewers decided."""

from django.conf import settings
from django.db import models

from fulfillment.reasons import REASONS, Reason, Verdict
from orders.states import Level


class Decision(models.Model):
    """One person's word on one order, with the score that this person saw."""

    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="decisions")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason = models.CharField(max_length=30, choices=Reason.choices)
    note = models.CharField(max_length=1000, blank=True, default="")
    score = models.PositiveSmallIntegerField(null=True, help_text="As the reviewer saw it.")
    level = models.CharField(max_length=6, choices=Level.choices, blank=True, default="")
    decided_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("decide_review", "Can approve or reject an order in review"),
            ("retry_work", "Can retry a failing step of an order"),
        ]
        constraints = [
            models.UniqueConstraint(name="one_decision_per_order", fields=["order"]),
            models.CheckConstraint(
                name="decision_reason_fits_the_verdict",
                condition=models.Q(verdict=Verdict.APPROVE, reason__in=REASONS[Verdict.APPROVE])
                | models.Q(verdict=Verdict.REJECT, reason__in=REASONS[Verdict.REJECT]),
            ),
            models.CheckConstraint(
                name="decision_for_another_reason_has_a_note",
                condition=~models.Q(reason=Reason.OTHER) | ~models.Q(note=""),
            ),
            models.CheckConstraint(name="decision_level_is_known", condition=models.Q(level__in=["", *Level.values])),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} order {self.order_id}"
