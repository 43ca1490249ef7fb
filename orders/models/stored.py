"""A decision that is made and not yet in effect: its reviewer may still withdraw it."""

from django.db import models


class StoredDecision(models.Model):
    """Of an order in review. Withdrawn, the row goes; an order that leaves its review otherwise has overtaken it."""

    order = models.OneToOneField("orders.Order", on_delete=models.CASCADE, primary_key=True, related_name="stored")
    approve = models.BooleanField(help_text="Else it is rejected.")
    reviewer = models.CharField(max_length=150)
    reason = models.CharField(max_length=30)
    note = models.CharField(max_length=1000, blank=True)
    takes_effect_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"decision on order {self.order_id} by {self.reviewer}"
