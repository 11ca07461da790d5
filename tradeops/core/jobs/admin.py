"""The back office's view of owed work: to be read and, where it ended, run again."""

from celery.schedules import ParseException
from django.contrib import admin
from django.utils import timezone
from django_celery_beat.admin import CrontabScheduleAdmin
from django_celery_beat.models import CrontabSchedule

from tradeops.core.admin import ReadOnlyAdmin

from .models import Heartbeat, Job, State
from .services import owe


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ["id", "kind", "key", "state", "attempts", "progress", "owner", "due_at", "finished_at", "reason"]
    list_filter = ["state", "kind"]
    list_select_related = ["owner"]
    search_fields = ["key", "reason", "owner__username", "request_id"]
    date_hierarchy = "created_at"
    actions = ["run_again"]

    @admin.action(description="Run the chosen jobs again", permissions=["run"])
    def run_again(self, request, queryset) -> None:
        chosen = list(queryset.filter(state__in=(State.SUCCEEDED, State.FAILED))[:200])
        for job in chosen:
            owe(job.kind, job.key, owner=job.owner)
        self.message_user(request, f"{len(chosen)} owed again. Unfinished ones were left as they are.")

    def has_run_permission(self, request) -> bool:
        return request.user.has_perm("jobs.change_job")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["part", "at", "age"]

    @admin.display(description="seconds ago")
    def age(self, heartbeat) -> int:
        return int((timezone.now() - heartbeat.at).total_seconds())


admin.site.unregister(CrontabSchedule)


@admin.register(CrontabSchedule)
class CrontabAdmin(CrontabScheduleAdmin):
    """The package's own, which fails to describe what its form is about to refuse."""

    def human_readable(self, schedule: CrontabSchedule) -> str:
        try:
            return schedule.human_readable
        except ParseException:
            return "-"
