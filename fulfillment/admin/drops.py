"""Drops and their pairs."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from fulfillment.admin.base import ReadOnlyAdmin
from orders.models import Drop, Pair


@admin.register(Drop)
class DropAdmin(ModelAdmin):  # type: ignore[misc]
    """An administrator may rename a drop, move its times, and set its price until somebody has ordered at it."""

    list_display = ("name", "price", "currency", "opens_at", "closes_at")
    fields = ("name", "price", "currency", "opens_at", "closes_at")
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Drop | None:
        """A drop that is being saved is locked, so that no first order slips in under its old price."""
        drop: Drop | None = super().get_object(request, object_id, from_field)
        if drop and request.method == "POST":
            return Drop.objects.select_for_update().get(pk=drop.pk)
        return drop

    def get_readonly_fields(self, request: HttpRequest, obj: Drop | None = None) -> tuple[str, ...]:
        return ("price", "currency") if obj and obj.orders.exists() else ()


@admin.register(Pair)
class PairAdmin(ReadOnlyAdmin):
    list_display = ("number", "drop", "size", "state")
    list_filter = ("state", "size", "drop")
    list_select_related = ("drop",)
    search_fields = ("=number",)
    ordering = ("-drop", "number")
