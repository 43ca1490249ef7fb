"""An order, read-only, with its whole story; what staff may do to it goes through the workflow."""

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from fulfillment.admin.scores import SEES_SCORES, ScoredAdmin, SeenLevel
from fulfillment.decisions import is_blind, may_decide, standing
from fulfillment.detail import without_score
from fulfillment.packing.lists import PACKED_IN, PER_PRINT
from orders.customers import customer_key
from orders.errors import TooLate
from orders.models import Order
from orders.states import FINAL, UNDOABLE, State
from orders.workflow import call_off_order, resume_order

PUBLIC_ID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
MAILBOX = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")

# The public id is its customer's credential and stays out.
EXPORTED = (
    "number",
    "drop__name",
    "pair_number",
    "size",
    "state",
    "outcome",
    "created_at",
    "name",
    "email",
    "line1",
    "line2",
    "city",
    "postcode",
    "country",
    "phone",
    "seen_score",
    "seen_level",
    "payment__state",
    "payment__amount",
    "payment__currency",
    "payment__captured",
    "payment__refunded",
    "payment__intent_ref",
    "shipment__carrier",
    "shipment__tracking_number",
)
# Beyond the order itself, by how a column's name begins.
NEEDS = {"seen_": SEES_SCORES, "payment__": "orders.view_payment", "shipment__": "orders.view_shipment"}


def may_see(request: HttpRequest, column: str) -> bool:
    return all(request.user.has_perm(needed) for begin, needed in NEEDS.items() if column.startswith(begin))


@admin.register(Order)
class OrderAdmin(ScoredAdmin):
    list_display = (
        "number",
        "pair_number",
        "size",
        "state",
        "outcome",
        "seen_score",
        "seen_level",
        "email",
        "created_at",
    )
    list_filter = ("state", "outcome", SeenLevel, "drop")
    search_fields = ("number",)  # what is searched is told in get_search_results
    search_help_text = "Order number, pair number, e-mail, or the link from a customer's mail"
    ordering = ("-number",)
    actions = ("export", "slips", "resume", "call_off")
    export_columns = EXPORTED
    readonly_fields = ("stand_in", "why")
    fieldsets = (
        (None, {"fields": (("state", "outcome"), ("drop", "pair_number", "size"), ("created_at", "updated_at"))}),
        ("Score", {"fields": (("seen_score", "seen_level", "stand_in"), "why")}),
        ("Customer", {"fields": ("name", "email", "phone", ("line1", "line2"), ("postcode", "city", "country"))}),
        ("Undo", {"fields": ("undo",)}),
    )
    change_form_outer_after_template = "fulfillment/admin_order.html"

    class Media:
        css = {"all": ["admin.css"]}

    @admin.display(description="Stand-in")
    def stand_in(self, order: Order) -> str:
        return "yes, the scorer failed" if order.score_degraded else "no"

    @admin.display(description="Reasons")
    def why(self, order: Order) -> SafeString | str:
        if is_blind(order):
            return "Reviewed without its score, which is shown once that is over."
        reasons = order.evidence.reasons if hasattr(order, "evidence") else []
        lines = ((reason["text"], f"{reason['contribution']:+.2f}") for reason in reasons)
        return format_html_join("", "<p>{} ({})</p>", lines) or "Nothing stands out."

    # --- what somebody sees of it -------------------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        return [column for column in self.list_display if may_see(request, column)]

    def get_export_columns(self, request: HttpRequest) -> Sequence[str]:
        return [column for column in self.export_columns if may_see(request, column)]

    def get_fieldsets(self, request: HttpRequest, obj: Order | None = None) -> Sequence[Any]:
        return [
            (name, shown) for name, shown in self.fieldsets if name != "Score" or request.user.has_perm(SEES_SCORES)
        ]

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
        if MAILBOX.fullmatch(term):  # half the price of looking into each address
            return queryset.filter(customer_key=customer_key(term)), False
        if term:
            return queryset.filter(email__icontains=term), False
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
    def export(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponseBase:
        if request.POST.get("select_across") == "1":  # any number: by the door that streams
            return redirect(f"{reverse('admin:orders_order_export')}?{request.GET.urlencode()}")
        return self.as_csv(request, chosen)

    @admin.action(description="Packing slips", permissions=["pack"])
    def slips(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse:
        numbers = list(chosen.values_list("number", flat=True)[: PER_PRINT + 1])  # one too many is refused there
        return redirect(f"{reverse('packing:order_slips')}?{urlencode({'order': numbers}, doseq=True)}")

    @admin.action(description="Resume", permissions=["retry"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        asks, warns = (
            "Resume these orders?",
            "What each has before it is due now, parked or not. Nothing is done twice.",
        )
        if page := self.confirm(request, chosen, asks=asks, warns=warns):
            return page
        who = request.user.get_username()
        return self.each(request, chosen, "resumed", lambda number: resume_order(number=number, who=who))

    @admin.action(description="Undo: money back, pair back on sale", permissions=["compensate"])
    def call_off(self, request: HttpRequest, chosen: QuerySet[Order]) -> HttpResponse | None:
        warns = (
            "The parcel is called back, the money returned, the pair goes on sale again while the drop is open, and the"
            " customer is told. This cannot be taken back. Orders that have shipped stay as they are."
        )
        if page := self.confirm(request, chosen, asks="Undo these orders?", warns=warns, reason=True):
            return page
        words = {"who": request.user.get_username(), "reason": request.POST["reason"].strip()}
        return self.each(request, chosen, "being undone", lambda number: call_off_order(number=number, **words))

    def each(
        self, request: HttpRequest, chosen: QuerySet[Order], done: str, act: Callable[[int], object]
    ) -> HttpResponse:
        """Act on one order after the other; one that went on meanwhile is named and stops nobody."""
        numbers = list(chosen.order_by("number").values_list("number", flat=True))
        for number in numbers:
            try:
                act(number)
            except TooLate as refusal:
                messages.warning(request, f"Order {number}: {refusal}")
            else:
                messages.success(request, f"Order {number} is {done}.")
        if len(numbers) == 1:
            return redirect("admin:orders_order_change", numbers[0])
        return redirect("admin:orders_order_changelist")

    def has_pack_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("fulfillment.pack_orders")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("fulfillment.retry_work")

    def has_compensate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("fulfillment.compensate_order")


def story(request: HttpRequest, order: Order) -> dict[str, Any]:
    """What the order's page shows below its fields, each section to whoever may view what it tells."""
    events = order.events.all()
    return {
        "order": order,
        "in_review": order.state == State.AWAITING_APPROVAL and may_decide(request.user),
        "may_retry": request.user.has_perm("fulfillment.retry_work"),
        "may_resume": order.state not in FINAL and request.user.has_perm("fulfillment.retry_work"),
        "may_call_off": order.state in UNDOABLE and request.user.has_perm("fulfillment.compensate_order"),
        "may_pack": order.state in PACKED_IN and request.user.has_perm("fulfillment.pack_orders"),
        "decision": standing(order).filter(needs_second=False).first(),
        "work": order.work.order_by("due_at"),
        "events": [without_score(event) for event in events] if is_blind(order) else events,
        "mails": order.mails.all(),
    }
