"""What an order's score saw and why it came out so. Beside the order, whose row is written anew with every step."""

from django.db import models


class Evidence(models.Model):
    """Of the score that the order has now."""

    order = models.OneToOneField("orders.Order", on_delete=models.CASCADE, primary_key=True)
    features = models.JSONField(default=dict, blank=True, help_text="The numbers that the score saw.")
    reasons = models.JSONField(default=list, blank=True, help_text="The strongest, with value and contribution.")

    class Meta:
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return f"evidence of order {self.order_id}"
