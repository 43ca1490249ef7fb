"""The score in the admin: for whoever may see decisions, and of an order that is reviewed without it for nobody yet."""

from typing import Any

from django.contrib import admin
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.http import HttpRequest

from fulfillment.admin.base import ReadOnlyAdmin
from orders.states import CANCELLABLE, Level

SEES_SCORES = "fulfillment.view_decision"  # each decision tells the score


class SeenLevel(admin.SimpleListFilter):
    title = "level"
    parameter_name = "seen_level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Level.choices) if request.user.has_perm(SEES_SCORES) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(seen_level=self.value()) if self.value() in Level.values else queryset


class ScoredAdmin(ReadOnlyAdmin):
    """Rows with `score` and `level`, shown as `seen_score` and `seen_level`: empty as long as is_blind(order)."""

    to_order = ""  # from a row, as a lookup begins

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        blind = Q((f"{self.to_order}state__in", CANCELLABLE), (f"{self.to_order}evidence__explored", True))
        rows: QuerySet[Any] = super().get_queryset(request)
        seen: QuerySet[Any] = rows.annotate(
            seen_score=Case(When(blind, then=None), default=F("score")),
            seen_level=Case(When(blind, then=Value("")), default=F("level")),
        )
        return seen

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """An address that filters by the score would tell it."""
        return lookup.split("__")[0] not in ("score", "level") and bool(super().lookup_allowed(lookup, value, request))

    @admin.display(description="score", ordering="seen_score")
    def seen_score(self, row: Any) -> int | None:
        score: int | None = row.seen_score
        return score

    @admin.display(description="level", ordering="seen_level")
    def seen_level(self, row: Any) -> str:
        level: str = row.seen_level
        return level
