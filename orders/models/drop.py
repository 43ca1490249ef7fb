"""A drop and its numbered pairs."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import models

from orders import clock
from orders.states import PairState


class DropQuerySet(models.QuerySet["Drop"]):
    def current(self) -> "Drop | None":
        """The drop that the landing page shows: the one that is open, else the next to open, else the last.

        `drop.now` is the database's time.
        """
        is_open, next_to_open, last_opened = windows()
        return self.annotate(now=clock.expression()).order_by(is_open, next_to_open, last_opened, "-id").first()

    def at_hand(self) -> "Drop | None":
        """The drop that staff look after: the one that is open, else the last that was, for its orders are still under
        way when the next one stands in the shop window already; else the next to open. `drop.now` as above.
        """
        is_open, next_to_open, last_opened = windows()
        return self.annotate(now=clock.expression()).order_by(is_open, last_opened, next_to_open, "-id").first()


def windows() -> tuple[models.OrderBy, models.OrderBy, models.OrderBy]:
    """To sort by: which are open; which are still to open, the soonest first; which have opened, the last first."""
    now, opens_at = clock.expression(), models.F("opens_at")
    return (
        models.Case(models.When(opens_at__lte=now, closes_at__gt=now, then=True), default=False).desc(),
        models.Case(models.When(opens_at__gt=now, then=opens_at)).asc(nulls_last=True),
        models.Case(models.When(opens_at__lte=now, then=opens_at)).desc(nulls_last=True),
    )


class Drop(models.Model):
    """One limited sale: a sneaker, a price, a window, and pairs with numbers."""

    name = models.CharField(max_length=80)
    price = models.PositiveIntegerField(help_text="Minor units, for instance cents: 29900 is 299.00.")
    currency = models.CharField(max_length=3, default="usd", help_text="ISO 4217, lower case.")
    opens_at = models.DateTimeField(help_text="UTC.")
    closes_at = models.DateTimeField(help_text="UTC. From then on nobody claims and released pairs stay unsold.")
    picture = models.FileField(
        blank=True,
        default="",
        db_default="",
        help_text="JPEG, PNG or WebP, best 5:3 and without a background. Without one our drawing is shown.",
    )
    picture_alt = models.CharField(
        "picture in words",
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text="What it shows, for customers who do not see it.",
    )

    objects = DropQuerySet.as_manager()

    now: datetime  # set by current() and at_hand()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="drop_closes_after_it_opens",
                condition=models.Q(closes_at__gt=models.F("opens_at")),
                violation_error_message="A drop closes after it opens.",
            ),
            models.CheckConstraint(
                name="drop_price_is_positive",
                condition=models.Q(price__gt=0),
                violation_error_message="The price is above zero.",
            ),
            models.CheckConstraint(
                name="drop_currency_is_lower_case",
                condition=models.Q(currency__regex="^[a-z]{3}$"),
                violation_error_message="The currency has three letters, for instance usd.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.currency = self.currency.lower()
        if self.picture and not self.picture_alt:
            raise ValidationError({"picture_alt": "Say what the picture shows."})

    def add_pairs(self, sizes: Mapping[Decimal, int]) -> None:
        """Number the pairs of a new drop from 1 on, sizes mixed evenly so that a number does not tell the size."""
        order = sorted((rank / count, size) for size, count in sizes.items() for rank in range(count))
        Pair.objects.bulk_create(
            Pair(drop=self, number=number, size=size) for number, (_, size) in enumerate(order, start=1)
        )


class Pair(models.Model):
    """One numbered pair. Its state is kept beside Order.pair because a claim finds a free one by its index."""

    drop = models.ForeignKey(Drop, on_delete=models.PROTECT, related_name="pairs", db_index=False)
    number = models.PositiveIntegerField()
    size = models.DecimalField(max_digits=3, decimal_places=1, help_text="US size.")
    state = models.CharField(max_length=10, choices=PairState.choices, default=PairState.ON_SALE)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="pair_number_once_per_drop", fields=["drop", "number"]),
            models.CheckConstraint(name="pair_state_is_known", condition=models.Q(state__in=PairState.values)),
        ]
        indexes = [
            # Found in this order, so that the plan stays cheap when most pairs are gone.
            models.Index(
                name="pair_on_sale", fields=["drop", "size", "number"], condition=models.Q(state=PairState.ON_SALE)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number:04d}"
