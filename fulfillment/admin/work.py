"""What orders have before them, and the button that tries a failing step again."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from fulfillment.admin.base import ReadOnlyAdmin
from orders.models import Work
from orders.workflow import retry_work


@admin.register(Work)
class WorkAdmin(ReadOnlyAdmin):
    list_display = ("order", "step", "due_at", "attempts", "crashes", "started_at", "parked_at", "last_error")
    list_filter = ("step", ("parked_at", admin.EmptyFieldListFilter))
    list_select_related = ("order",)
    search_fields = ("last_error",)
    ordering = ("due_at",)
    actions = ("retry_now",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("fulfillment.retry_work")

    @admin.action(description="Retry now", permissions=["retry"])
    def retry_now(self, request: HttpRequest, chosen: QuerySet[Work]) -> HttpResponse | None:
        warns = "They are due now, parked or not. Nothing is done twice."
        if page := self.confirm(request, chosen, asks="Retry these steps?", warns=warns):
            return page
        steps = list(chosen.values_list("pk", "order_id"))
        retried = sum(retry(work_id, request.user.get_username()) for work_id, _ in steps)
        messages.success(request, f"{retried} due now.")
        orders = {order for _, order in steps}
        return redirect("admin:orders_order_change", *orders) if len(orders) == 1 else None


def retry(work_id: int, who: str) -> bool:
    """Make a step due now; False where it was done meanwhile."""
    try:
        retry_work(work_id=work_id, who=who)
    except Work.DoesNotExist:
        return False
    return True
