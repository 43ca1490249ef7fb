"""How a merchant puts a drop on sale, by command or in the admin: the drop, and how many pairs of which size."""

import re
from collections.abc import Mapping
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count

from orders import clock
from orders.models import Drop
from orders.wording import size_text

SIZE_AND_PAIRS = re.compile(r"(\d{1,2}(?:\.\d+)?)\s*[:=]\s*(\d{1,9})", re.ASCII)
MOST_PAIRS = 100_000  # of one size


@transaction.atomic
def open_drop(drop: Drop, sizes: Mapping[Decimal, int]) -> None:
    """Save a new drop with its numbered pairs. Raises ValidationError."""
    drop.full_clean()
    drop.save()
    drop.add_pairs(sizes)


def sizes_may_change(drop: Drop) -> bool:
    """Until it opens, unless somebody has ordered all the same: its opening was put off then."""
    return clock.now() < drop.opens_at and not drop.orders.exists()


@transaction.atomic
def change_sizes(drop: Drop, sizes: Mapping[Decimal, int]) -> None:
    """Number its pairs anew. Raises ValidationError once they are on sale."""
    if not sizes_may_change(Drop.objects.select_for_update().get(pk=drop.pk)):
        raise ValidationError("The pairs are on sale; their number stands.")
    drop.pairs.all().delete()
    drop.add_pairs(sizes)


def read_sizes(text: str) -> dict[Decimal, int]:
    """What "8: 50, 9.5: 100" says; "8=50" and lines are as good. Raises ValidationError with what is wrong."""
    sizes: dict[Decimal, int] = {}
    for part in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        size, pairs = size_and_pairs(part)
        if size in sizes:
            raise ValidationError(f"Size {size_text(size)} is named twice.")
        sizes[size] = pairs
    if not sizes:
        raise ValidationError("Name at least one size, for instance 9.5: 120.")
    return sizes


def size_and_pairs(text: str) -> tuple[Decimal, int]:
    found = SIZE_AND_PAIRS.fullmatch(text)
    if found is None:
        raise ValidationError(f"“{text}” does not say how many pairs of which size, as 9.5: 120 does.")
    size, pairs = Decimal(found[1]), int(found[2])
    if not size or size % Decimal("0.5") or not 0 < pairs <= MOST_PAIRS:
        raise ValidationError(
            f"“{text}”: sizes are whole or half, and there is at least one pair and at most {MOST_PAIRS:,}."
        )
    return size, pairs


def sizes_text(drop: Drop) -> str:
    """As read_sizes reads it: "8: 50, 9.5: 100"."""
    counts = drop.pairs.order_by("size").values_list("size").annotate(Count("pk"))
    return ", ".join(f"{size_text(size)}: {pairs}" for size, pairs in counts)
