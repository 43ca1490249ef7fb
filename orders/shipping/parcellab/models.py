"""ParcelLab's own books. It checks an address and forgets it: nobody will drive there."""

import secrets

from django.db import models


def tracking_number() -> str:
    """Unguessable, so that a number tells nothing about the next parcel."""
    return f"PL{secrets.token_hex(8).upper()}"


class Parcel(models.Model):
    class Status(models.TextChoices):
        ACCEPTED = "accepted"
        CANCELLED = "cancelled"

    reference = models.CharField(max_length=80, help_text="The shop's own name for it.")
    tracking_number = models.CharField(max_length=20, unique=True, default=tracking_number)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACCEPTED)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="parcellab_one_live_parcel_per_reference",
                fields=["reference"],
                condition=models.Q(status="accepted"),
            ),
        ]

    def __str__(self) -> str:
        return self.tracking_number


class Request(models.Model):
    """An Idempotency-Key, kept for good: the same body gets the same parcel."""

    key = models.CharField(max_length=255, unique=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the body.")
    calls = models.PositiveIntegerField(default=0)
    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, null=True)

    def __str__(self) -> str:
        return f"request {self.pk}"
