"""Models of the score that somebody trained, and which of them scores."""

from django.db import models


class Role(models.TextChoices):
    """One model scores; another may say beside it what it would have said."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    RETIRED = "retired"


class TrainedModel(models.Model):
    """A table as `train_risk_model` writes it. Without a champion the file of QS_RISK_MODEL scores, or the rules."""

    version = models.CharField(max_length=40, unique=True)
    table = models.JSONField(help_text="The artefact; see orders.risk.model.")
    card = models.TextField(help_text="How it was judged.")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.RETIRED)
    stored_at = models.DateTimeField()
    role_since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_model_per_role", fields=["role"], condition=models.Q(role__in=["champion", "challenger"])
            ),
            models.CheckConstraint(name="model_role_is_known", condition=models.Q(role__in=Role.values)),
        ]

    def __str__(self) -> str:
        return self.version
