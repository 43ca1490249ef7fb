"""What the admin's pages have in common."""

from typing import Any

import structlog
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.text import slugify
from unfold.admin import ModelAdmin

from fulfillment.admin.export import as_csv

log = structlog.get_logger("fulfillment")

MOST_COUNTED = 100_000  # rows; nobody turns to a page beyond
MOST_AT_ONCE = 500  # rows that one action changes


class CappedPaginator(Paginator):
    """Counts no further than somebody would turn pages: a journal of millions costs what a short one does."""

    @cached_property
    def count(self) -> int:
        return int(self.object_list.order_by()[:MOST_COUNTED].count())  # type: ignore[attr-defined]


class ListAdmin(ModelAdmin):  # type: ignore[misc]
    """A list that stays quick however long it is, and leaves as CSV with the same filters and permission."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_before_template = "fulfillment/admin_export.html"
    export_columns: tuple[str, ...] = ()  # empty: what the list shows

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_list)
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export.csv", view, name=name), *super().get_urls()]

    def export_list(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        log.info("list exported", list=self.opts.label_lower, who=request.user.get_username())
        return self.as_csv(rows)

    def as_csv(self, rows: QuerySet[Any]) -> HttpResponseBase:
        fields = [field.name for field in self.opts.concrete_fields]
        columns = self.export_columns or [name for name in self.list_display if name in fields] or fields
        return as_csv(rows, columns, f"{slugify(self.opts.verbose_name_plural)}.csv")

    def confirm(
        self, request: HttpRequest, chosen: QuerySet[Any], *, asks: str, warns: str, reason: bool = False
    ) -> HttpResponse | None:
        """The page that stands before an action, or None once it was answered; `reason` asks for one in words."""
        count = chosen.count()
        mistake = f"At most {MOST_AT_ONCE} at once, please; these are {count}." if count > MOST_AT_ONCE else ""
        if "confirmed" in request.POST and not mistake:
            if not reason or request.POST.get("reason", "").strip():
                return None
            mistake = "Please say why."
        shown = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": asks,
            "warns": warns,
            "mistake": mistake,
            "too_many": count > MOST_AT_ONCE,
            "asks_reason": reason,
            "chosen": chosen[:MOST_AT_ONCE],
            "count": count,
            "action": request.POST["action"],
            "selected": request.POST.getlist("_selected_action"),
            "select_across": request.POST.get("select_across", "0"),
        }
        return render(request, "fulfillment/admin_confirm.html", shown)


class ReadOnlyAdmin(ListAdmin):
    """Shown to whoever has the permission to view it, changed here by nobody, the superuser included."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
