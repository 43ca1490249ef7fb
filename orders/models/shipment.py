"""The parcel of an approved order."""

from django.db import models


class Shipment(models.Model):
    """One parcel an order; the schema knows no second one."""

    order = models.OneToOneField("orders.Order", on_delete=models.CASCADE, related_name="shipment")
    carrier = models.CharField(max_length=40, blank=True, help_text="Empty where staff wrote the label by hand.")
    tracking_number = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.tracking_number

    @property
    def route(self) -> str:
        """How its customer can follow it."""
        if not self.carrier:
            return f"The label bears our reference {self.tracking_number}."
        return f"It travels with {self.carrier}; the tracking number is {self.tracking_number}."
