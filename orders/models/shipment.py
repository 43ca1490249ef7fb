"""The parcel of an approved order."""

from django.db import models


class Shipment(models.Model):
    """One parcel an order; the schema knows no second one."""

    order = models.OneToOneField("orders.Order", on_delete=models.CASCADE, related_name="shipment")
    carrier = models.CharField(max_length=40)
    tracking_number = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.tracking_number
