"""The lake's files in the back office. Jobs and the schedule have their own pages there."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from analytics.models import ExportRequest, LakeFile, Revision
from tradeops.core.admin import ReadOnlyAdmin


@admin.register(LakeFile)
class LakeFileAdmin(ReadOnlyAdmin):
    list_display = ["key", "rows", "size", "revision", "written_at", "download"]
    list_filter = ["kind", "file_format"]
    search_fields = ["key", "sha256"]
    date_hierarchy = "day"

    @admin.display(description="file")
    def download(self, file) -> str:
        return format_html('<a href="{}">Download</a>', reverse("analytics:file-download", args=[file.pk]))


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin):
    list_display = ["file_key", "number", "rows", "size", "sha256", "made_with", "written_at"]
    search_fields = ["file_key", "sha256"]
    date_hierarchy = "written_at"


@admin.register(ExportRequest)
class ExportRequestAdmin(ReadOnlyAdmin):
    list_display = ["job", "user", "asked_at"]
    list_select_related = ["job", "user"]
    search_fields = ["job__key", "user__username"]
    date_hierarchy = "asked_at"
