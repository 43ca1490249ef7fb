"""The clockwork, read-only: it is told in the settings and written back from there at each start."""

from django.contrib import admin
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from fulfillment.admin.base import ReadOnlyAdmin

SCHEDULES = (ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule)
admin.site.unregister([PeriodicTask, *SCHEDULES])
admin.site.register(SCHEDULES, ReadOnlyAdmin)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    list_display = ("name", "task", "interval", "enabled", "last_run_at", "total_run_count")
    list_select_related = ("interval",)
    export_columns = (
        "name",
        "task",
        "interval__every",
        "interval__period",
        "enabled",
        "last_run_at",
        "total_run_count",
    )
