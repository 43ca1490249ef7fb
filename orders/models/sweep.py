"""When the sweep last ran: staff see an alarm when it is too long ago."""

from django.db import models


class SweepBeat(models.Model):
    """A single row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="sweep_beat_is_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"last sweep at {self.at:%H:%M:%S}"
