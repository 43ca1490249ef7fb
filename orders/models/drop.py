"""A drop and its numbered pairs."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import models

from orders import clock
from orders.states import PairState

# Written out, because every claim and every look at the shop window asks: to build it cost ten times what it does.
CHOOSE = """
SELECT orders_drop.*, now
FROM orders_drop, (SELECT statement_timestamp() + %(offset)s AS now) AS this
WHERE id = coalesce(%(drop)s, id)
ORDER BY opens_at <= now AND closes_at > now DESC, {}, id DESC LIMIT 1
"""
NEXT_TO_OPEN = "CASE WHEN opens_at > now THEN opens_at END"
LAST_OPENED = "CASE WHEN opens_at <= now THEN opens_at END DESC NULLS LAST"
CURRENT = CHOOSE.format(f"{NEXT_TO_OPEN}, {LAST_OPENED}")
AT_HAND = CHOOSE.format(f"{LAST_OPENED}, {NEXT_TO_OPEN}")


class DropQuerySet(models.QuerySet["Drop"]):
    def current(self) -> "Drop | None":
        """The drop that the landing page shows: the one that is open, else the next to open, else the last.

        `drop.now` is the database's time.
        """
        return self._choose(CURRENT)

    def at_hand(self) -> "Drop | None":
        """The drop that staff look after: the one that is open, else the last that was, for its orders are still under
        way when the next one stands in the shop window already; else the next to open. `drop.now` as above.
        """
        return self._choose(AT_HAND)

    def _choose(self, query: str) -> "Drop | None":
        return next(iter(self.raw(query, {"offset": clock.offset, "drop": None})), None)


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
            # A claim asks for its size, and for the lowest number of it: cheap also when most pairs are gone.
            models.Index(name="pair_by_size", fields=["drop", "size", "state", "number"]),
        ]

    def __str__(self) -> str:
        return f"{self.number:04d}"
