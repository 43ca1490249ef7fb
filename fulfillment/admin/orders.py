"""An order, read-only, with its whole story; its actions are the export and the retry of a failing step."""

import re
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from fulfillment.admin.base import ReadOnlyAdmin
from fulfillment.admin.export import as_csv
from fulfillment.admin.work import retry
from fulfillment.decisions import may_decide
from fulfillment.models import Decision
from orders.customers import customer_key
from orders.models import Order
from orders.states import State

PUBLIC_ID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ("number", "pair_number", "size", "state", "outcome", "score", "level", "email", "created_at")
    list_filter = ("state", "outcome", "level", "drop")
    search_fields = ("number",)  # what is searched is told in get_search_results
    search_help_text = "Order number, pair number, e-mail, or the link from a customer's mail"
    ordering = ("-number",)
    actions = ("export",)
    readonly_fields = ("why",)
    fieldsets = (
        (None, {"fields": (("state", "outcome"), ("drop", "pair_number", "size"), ("created_at", "updated_at"))}),
        ("Score", {"fields": (("score", "level", "score_degraded"), "why")}),
        ("Customer", {"fields": ("name", "email", "phone", ("line1", "line2"), ("postcode", "city", "country"))}),
        ("Undo", {"fields": ("undo",)}),
    )
    change_form_outer_after_template = "fulfillment/admin_order.html"

    class Media:
        css = {"all": ["admin-order.css"]}

    @admin.display(description="Reasons")
    def why(self, order: Order) -> SafeString | str:
        reasons = order.evidence.reasons if hasattr(order, "evidence") else []
        lines = ((reason["text"], f"{reason['contribution']:+.2f}") for reason in reasons)
        return format_html_join("", "<p>{} ({})</p>", lines) or "Nothing stands out."

    # --- finding -----------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """A public id is turned into the order's number at once: it must not stay in the admin's addresses."""
        if found := PUBLIC_ID.search(request.GET.get("q", "")):
            if not self.has_view_permission(request):
                raise PermissionDenied
            order = Order.objects.filter(public_id=UUID(found[0])).only("number").first()
            if order:
                return redirect("admin:orders_order_change", order.number)
            messages.warning(request, "There is no order with this id.")
            return redirect("admin:orders_order_changelist")
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        term = search_term.strip().lstrip("#")
        if term.isdecimal():
            return queryset.filter(Q(number=term) | Q(pair_number=term)), False
        if term:
            return queryset.filter(Q(email__icontains=term) | Q(customer_key=customer_key(term))), False
        return queryset, False

    # --- the story ---------------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        context = (extra_context or {}) | (story(request, order) if order else {})
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    # --- actions -----------------------------------------------------------------------------------------------------

    @admin.action(description="Export as CSV", permissions=["view"])
    def export(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse:
        return as_csv(chosen)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.retry_step)
        return [path("<int:number>/retry/<int:work_id>/", view, name="orders_order_retry"), *super().get_urls()]

    @method_decorator(require_POST)
    def retry_step(self, request: HttpRequest, number: int, work_id: int) -> HttpResponse:
        if not request.user.has_perm("fulfillment.retry_work"):
            raise PermissionDenied
        if retry(request, work_id):
            messages.success(request, "The step is due now.")
        else:
            messages.info(request, "The step is done already.")
        return redirect("admin:orders_order_change", number)


def story(request: HttpRequest, order: Order) -> dict[str, Any]:
    """What the order's page shows below its fields."""
    return {
        "order": order,
        "in_review": order.state == State.AWAITING_APPROVAL and may_decide(request.user),
        "may_retry": request.user.has_perm("fulfillment.retry_work"),
        "decision": Decision.objects.filter(order=order).select_related("reviewer").first(),
        "work": order.work.order_by("due_at"),
        "events": order.events.all(),
        "mails": order.mails.all(),
    }
