"""What the reviewers decided, and who is looking at an order just now."""

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
    score = models.PositiveSmallIntegerField(null=True, help_text="The order's when it was decided.")
    level = models.CharField(max_length=6, choices=Level.choices, blank=True, default="")
    model = models.CharField(max_length=60, blank=True, db_default="", default="", help_text="Whose score it was.")
    reasons = models.JSONField(
        db_default=models.Value([], models.JSONField()), default=list, blank=True, help_text="Of the score, as shown."
    )
    blind = models.BooleanField(db_default=False, default=False, help_text="The reviewer did not see the score.")
    decided_at = models.DateTimeField()
    seconds = models.PositiveIntegerField(null=True, help_text="Since the reviewer first saw it in review.")
    withdrawn_at = models.DateTimeField(null=True, help_text="Taken back by its reviewer before it took effect.")
    needs_second = models.BooleanField(
        db_default=False, default=False, help_text="The first of two approvals: it waits for another person's."
    )

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("decide_review", "Can approve or reject an order in review"),
            ("cut_link", "Can say that an order is not linked by something"),
            ("extend_deadline", "Can give the decision on an order more time"),
            ("retry_work", "Can retry a failing step of an order"),
            ("compensate_order", "Can undo an order that has not shipped"),
            ("pack_orders", "Can print packing lists and slips"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="one_standing_decision_per_order",
                fields=["order"],
                condition=models.Q(withdrawn_at__isnull=True, needs_second=False),
            ),
            models.UniqueConstraint(
                name="one_standing_decision_per_order_and_person",
                fields=["order", "reviewer"],
                condition=models.Q(withdrawn_at__isnull=True),
            ),
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


class FirstLook(models.Model):
    """When a reviewer first saw an order in review. Kept here and not in the form: a form can be opened again."""

    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="one_first_look", fields=["order", "reviewer"])]

    def __str__(self) -> str:
        return f"order {self.order_id} by {self.reviewer_id}"


class ReviewLock(models.Model):
    """Somebody is looking at this order: nobody else decides it until then."""

    order = models.OneToOneField("orders.Order", on_delete=models.CASCADE, primary_key=True, related_name="lock")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"order {self.order_id} by {self.reviewer_id}"
