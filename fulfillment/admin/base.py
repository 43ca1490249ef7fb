"""What the admin's pages have in common."""

from collections.abc import Sequence
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
from orders.storefront.bodies import refuse_unreadable
from orders.storefront.refusals import Malformed

log = structlog.get_logger("fulfillment")

MOST_COUNTED = 100_000  # rows; nobody turns to a page beyond
MOST_AT_ONCE = 500  # rows that one action changes
LONGEST_REASON = 500  # characters; the journal keeps no more


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
        return self.as_csv(request, rows)

    def as_csv(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponseBase:
        log.info("list exported", list=self.opts.label_lower, who=request.user.get_username())
        return as_csv(rows, self.get_export_columns(request), f"{slugify(self.opts.verbose_name_plural)}.csv")

    def get_export_columns(self, request: HttpRequest) -> Sequence[str]:
        fields = [field.name for field in self.opts.concrete_fields]
        return self.export_columns or [name for name in self.list_display if name in fields] or fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By its order's number where that finds something: Django's own way reads each row's number as text."""
        term = search_term.strip().lstrip("#")
        if term.isdecimal() and any(field.name == "order" for field in self.opts.concrete_fields):
            of_order = queryset.filter(order__number=term)
            if of_order.exists():
                return of_order, False
        found: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term)
        return found

    def confirm(
        self, request: HttpRequest, chosen: QuerySet[Any], *, asks: str, warns: str, reason: bool = False
    ) -> HttpResponse | None:
        """The page that stands before an action, or None once it was answered; `reason` asks for one in words.

        It answers for the very rows that it shows: a filter would have found others meanwhile.
        """
        count = chosen.count()
        hopeless = "None of these is left." if not count else ""
        if count > MOST_AT_ONCE:
            hopeless = f"At most {MOST_AT_ONCE} at once, please; these are {count}."
        mistake = hopeless
        if "confirmed" in request.POST and not hopeless:
            mistake = wrong_with(request.POST.get("reason", "")) if reason else ""
            if not mistake:
                return None
        rows = list(chosen[:MOST_AT_ONCE])
        shown = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "title": asks,
            "warns": warns,
            "mistake": mistake,
            "hopeless": hopeless,
            "asks_reason": reason,
            "longest_reason": LONGEST_REASON,
            "chosen": rows,
            "count": count,
            "action": request.POST["action"],
        }
        return render(request, "fulfillment/admin_confirm.html", shown)


def wrong_with(reason: str) -> str:
    """What its author has to mend; empty where it can be written down."""
    try:
        refuse_unreadable({"reason": reason})
    except Malformed as error:
        return str(error)
    if len(reason.strip()) > LONGEST_REASON:
        return f"At most {LONGEST_REASON} characters, please."
    return "" if reason.strip() else "Please say why."


class ReadOnlyAdmin(ListAdmin):
    """Shown to whoever has the permission to view it, changed here by nobody, the superuser included."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
