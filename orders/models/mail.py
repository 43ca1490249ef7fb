"""The ledger of mails: which order was told what, once."""

from django.db import models

from orders.states import MAILS


class Mail(models.Model):
    """A mail that was sent. Its Message-ID follows from order and kind, so that a repeat is seen as one mail."""

    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="mails")
    kind = models.CharField(max_length=20, choices=[(step.value, step.label) for step in MAILS])
    message_id = models.CharField(max_length=200, unique=True)
    sent_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="mail_kind_is_known", condition=models.Q(kind__in=[step.value for step in MAILS])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of order {self.order_id}"
