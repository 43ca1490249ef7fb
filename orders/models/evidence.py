"""What an order's score saw and why it came out so. Beside the order, whose row is written anew with every step."""

from django.db import models


class Evidence(models.Model):
    """Of the score that the order has now."""

    order = models.OneToOneField("orders.Order", on_delete=models.CASCADE, primary_key=True)
    features = models.JSONField(default=dict, blank=True, help_text="The numbers that the score saw.")
    reasons = models.JSONField(default=list, blank=True, help_text="The strongest, with value and contribution.")

    model = models.CharField(max_length=60, blank=True, db_default="", help_text="Its version, and the vector's.")
    scored_at = models.DateTimeField(null=True, help_text="Whatever was known then, the score saw.")
    challenger = models.JSONField(null=True, help_text="The score and version of a model that is tried beside.")
    explored = models.BooleanField(
        default=False, db_default=False, help_text="Reviewed without the score: what people say then is no echo of it."
    )
    explanation = models.JSONField(
        null=True, help_text="A language model's words: summary, evidence, checks, and the score they are about."
    )

    class Meta:
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return f"evidence of order {self.order_id}"
