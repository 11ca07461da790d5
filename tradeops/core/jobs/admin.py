"""The back office's view of owed work, to be read and, where it failed, run again; and of the schedule that owes it."""

from copy import copy

from celery import current_app
from celery.schedules import ParseException
from django.contrib import admin, messages
from django_celery_beat.admin import CrontabScheduleAdmin, PeriodicTaskAdmin, PeriodicTaskForm
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from tradeops.core.admin import ReadOnlyAdmin

from . import services, slots
from .models import Heartbeat, Job, State


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
        """What has succeeded is left: a webhook would be posted twice."""
        chosen = queryset.filter(state__in=(State.FAILED, State.RETRYING)).select_related("owner")[:200]
        owed = 0
        try:
            for job in chosen:
                again = services.run_again(job)
                owed += again is not None and not again.is_finished
        except services.TooMuchOwed as error:
            self.message_user(request, str(error.detail), messages.ERROR)
        self.message_user(request, f"{owed} owed again or tried now. What has not failed was left as it is.")

    def has_run_permission(self, request) -> bool:
        return request.user.has_perm("jobs.change_job")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["part", "at", "age", "ahead", "fault"]

    @admin.display(description="seconds ago")
    def age(self, heartbeat) -> int:
        return int(heartbeat.age.total_seconds())

    @admin.display(description="clock ahead, seconds")
    def ahead(self, heartbeat) -> int:
        return round(heartbeat.ahead.total_seconds())

    def get_queryset(self, request):
        return super().get_queryset(request).with_age()


admin.site.unregister([CrontabSchedule, PeriodicTask])


class KeepableForm(PeriodicTaskForm):
    """The package's own, which takes a task that is not there and arguments that it does not have."""

    def _post_clean(self) -> None:
        super()._post_clean()
        current_app.loader.import_default_modules()  # where this process has not yet met a task
        if not self.errors and self.instance.enabled and (fault := slots.fault_of(copy(self.instance))):
            self.add_error(None, fault)


@admin.register(PeriodicTask)
class TaskAdmin(PeriodicTaskAdmin):
    form = KeepableForm

    def get_actions(self, request) -> dict:
        """The package's ask nobody's permission, and who may only look at the schedule could switch it off."""
        return super().get_actions(request) if self.has_change_permission(request) else {}

    @admin.action(description="Run the chosen tasks now")
    def run_tasks(self, request, queryset) -> None:
        """Here, for all that a task does is to owe; a message might find a broker that is away, or nobody."""
        current_app.loader.import_default_modules()
        called = sum(slots.call_now(row) for row in queryset)
        if left := queryset.count() - called:
            self.message_user(request, f"{left} could not be called; the log says why.", messages.ERROR)
        self.message_user(request, f"{called} called: what they owe stands under Jobs.")


@admin.register(CrontabSchedule)
class CrontabAdmin(CrontabScheduleAdmin):
    """The package's own, which fails to describe what its form is about to refuse."""

    def human_readable(self, schedule: CrontabSchedule) -> str:
        try:
            return schedule.human_readable
        except ParseException:
            return "-"
