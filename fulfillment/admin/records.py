"""The books: what happened, was paid, mailed, shipped and decided, what a claim showed, and what scores it."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from fulfillment.admin.base import ReadOnlyAdmin
from fulfillment.admin.scores import ScoredAdmin, SeenLevel
from fulfillment.decisions import is_blind
from fulfillment.detail import without_score
from fulfillment.models import Decision, ReviewLock
from orders.models import (
    Callback,
    ClaimAttempts,
    ClaimSignals,
    Event,
    EventsRead,
    Evidence,
    Mail,
    Payment,
    Reconciliation,
    Shipment,
    StoredDecision,
    SweepBeat,
    TrainedModel,
    WebhookEvent,
    WebhookRefusals,
)
from orders.payments import webhooks
from quantasneaks.logs import without_public_ids


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("at", "order", "what", "state", "actor", "who", "cause", "attempt")
    list_filter = ("actor", "state")
    list_select_related = ("order",)
    search_fields = ("what", "who")
    ordering = ("-id",)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Event | None:
        event: Event | None = super().get_object(request, object_id, from_field)
        return without_score(event) if event and is_blind(event.order) else event


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("order", "state", "amount", "currency", "captured", "refunded", "capture_before", "intent_ref")
    list_filter = ("state",)
    list_select_related = ("order",)
    search_fields = ("session_ref", "intent_ref")
    ordering = ("-order",)


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "type", "order", "event_id", "ref")
    list_select_related = ("order",)
    search_fields = ("type", "event_id", "ref")
    fields = ("event_id", "type", "ref", "created_at", "received_at", "order", "told")
    actions = ("replay",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        """Without the bodies, which only an event's own page shows."""
        events: QuerySet[WebhookEvent] = super().get_queryset(request)
        return events.defer("body")

    @admin.action(description="Replay: ask the provider about their orders again", permissions=["replay"])
    def replay(self, request: HttpRequest, chosen: QuerySet[WebhookEvent]) -> HttpResponse | None:
        warns = "The provider is asked about each event's order, where no step of its own is about to."
        if page := self.confirm(request, chosen, asks="Replay these events?", warns=warns):
            return page
        replayed = [webhooks.replay(event, who=request.user.get_username()) for event in chosen]
        messages.info(request, f"{sum(replayed)} of {len(replayed)} are looked at again; nothing hangs on the others.")
        return None

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("fulfillment.retry_work"))

    @admin.display(description="body")
    def told(self, event: WebhookEvent) -> str:
        """What the provider sent. A session names the page it leads back to: the customer's credential."""
        return without_public_ids(event.body)


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    list_display = ("sent_at", "order", "kind", "message_id")
    list_filter = ("kind",)
    list_select_related = ("order",)
    search_fields = ("message_id",)
    ordering = ("-id",)


@admin.register(Shipment)
class ShipmentAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "order", "carrier", "tracking_number")
    list_select_related = ("order",)
    search_fields = ("carrier", "tracking_number")
    ordering = ("-id",)


@admin.register(Callback)
class CallbackAdmin(ReadOnlyAdmin):
    list_display = ("order", "kind", "opened_at", "deadline_at", "resolution", "resolved_at")
    list_filter = ("kind", "resolution")
    list_select_related = ("order",)
    search_fields = ("=order__number",)
    ordering = ("-id",)


@admin.register(ClaimSignals)
class ClaimSignalsAdmin(ReadOnlyAdmin):
    list_display = ("at", "order", "drop")
    list_select_related = ("order", "drop")
    search_fields = ("=order__number",)
    ordering = ("-id",)


@admin.register(ClaimAttempts)
class ClaimAttemptsAdmin(ReadOnlyAdmin):
    list_display = ("minute", "ip_key", "count")
    ordering = ("-minute",)


@admin.register(SweepBeat)
class SweepBeatAdmin(ReadOnlyAdmin):
    list_display = ("at",)


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    list_display = ("at", "number_of_differences")
    export_columns = ("at", "differences")

    @admin.display(description="differences")
    def number_of_differences(self, made: Reconciliation) -> int:
        return len(made.differences)


@admin.register(WebhookRefusals)
class WebhookRefusalsAdmin(ReadOnlyAdmin):
    list_display = ("reason", "count")


@admin.register(EventsRead)
class EventsReadAdmin(ReadOnlyAdmin):
    list_display = ("begun_at", "until")


@admin.register(Decision)
class DecisionAdmin(ScoredAdmin):
    to_order = "order__"
    list_display = (
        "decided_at",
        "order",
        "verdict",
        "reason",
        "reviewer",
        "seen_score",
        "seen_level",
        "needs_second",
        "withdrawn_at",
    )
    list_filter = ("verdict", "reason", SeenLevel)
    list_select_related = ("order", "reviewer")
    export_columns = (
        "decided_at",
        "order",
        "verdict",
        "reason",
        "note",
        "reviewer__username",
        "seen_score",
        "seen_level",
        "needs_second",
        "withdrawn_at",
    )
    search_fields = ("reviewer__username",)
    fields = (
        ("order", "reviewer"),
        ("verdict", "reason"),
        "note",
        ("seen_score", "seen_level", "model", "blind"),
        "reasons",
        ("decided_at", "seconds"),
        ("needs_second", "withdrawn_at"),
    )


@admin.register(StoredDecision)
class StoredDecisionAdmin(ReadOnlyAdmin):
    list_display = ("order", "approve", "reason", "reviewer", "takes_effect_at")
    list_select_related = ("order",)


@admin.register(ReviewLock)
class ReviewLockAdmin(ReadOnlyAdmin):
    list_display = ("order", "reviewer", "until")
    list_select_related = ("order", "reviewer")
    export_columns = ("order", "reviewer__username", "until")


@admin.register(Evidence)
class EvidenceAdmin(ReadOnlyAdmin):
    list_display = ("order", "model", "explored")
    list_select_related = ("order",)
    search_fields = ("=order__number",)
    ordering = ("-order",)


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin):
    """Models are stored and given their role by command; here is how each was judged."""

    list_display = ("version", "role", "stored_at", "role_since")
    list_filter = ("role",)
    search_fields = ("version",)
    ordering = ("-stored_at",)
    fields = ("version", "role", "stored_at", "role_since", "card_as_written")

    @admin.display(description="card")
    def card_as_written(self, model: TrainedModel) -> str:
        return format_html('<pre class="card">{}</pre>', model.card)

    class Media:
        css = {"all": ["admin.css"]}
