"""The journal: what happened to an order, when, by whom and why. Rows are added and never touched again."""

from django.db import models

from orders.states import Actor, Outcome, State


class Event(models.Model):
    """One line of the journal; a database trigger refuses to change or delete it."""

    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    what = models.CharField(max_length=40)
    state = models.CharField(max_length=20, choices=State.choices, help_text="The order's state after this.")
    outcome = models.CharField(max_length=20, choices=Outcome.choices, blank=True, default="")
    actor = models.CharField(max_length=10, choices=Actor.choices)
    who = models.CharField(max_length=150, blank=True, help_text="A reviewer's name.")
    cause = models.CharField(max_length=500, blank=True)
    attempt = models.PositiveIntegerField(null=True)
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="event_actor_is_known", condition=models.Q(actor__in=Actor.values)),
            models.CheckConstraint(name="event_state_is_known", condition=models.Q(state__in=State.values)),
        ]

    def __str__(self) -> str:
        return f"{self.what} (order {self.order_id})"
