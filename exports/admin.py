"""The operations desk: everything is shown, nothing is edited by hand."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_rq.models import Dashboard

from . import jobs
from .dashboard import GuardedQueueAdmin
from .models import ExportEvent, ExportMail, ExportTask
from .progress import count, percent


class ReadOnly:
    """Rows to look at, not to change."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MailInline(ReadOnly, admin.TabularInline[ExportMail, ExportTask]):
    model = ExportMail
    fields = (
        "created_at",
        "purpose",
        "status",
        "tries",
        "next_try_at",
        "sent_at",
        "error",
        "bounced_at",
        "bounce_reason",
        "message_id",
    )
    readonly_fields = fields
    extra = 0


class EventInline(ReadOnly, admin.TabularInline[ExportEvent, ExportTask]):
    model = ExportEvent
    fields = readonly_fields = ("at", "kind", "attempt")
    verbose_name_plural = _("timeline")
    extra = 0

    @admin.display(description=_("time"))
    def at(self, event: ExportEvent) -> str:
        """To the second, unlike the admin's own times."""
        at = localtime(event.created_at)
        return f"{date_format(at)}, {at:%H:%M:%S}"


@admin.register(ExportTask)
class ExportTaskAdmin(ReadOnly, admin.ModelAdmin[ExportTask]):
    list_display = (
        "id", "owner", "status", "progress", "rows", "size", "attempt", "crashes", "created_at", "took", "job"
    )  # fmt: skip
    list_filter = ("status", "kind", "error_code", ("mails__bounced_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("owner",)
    search_fields = ("owner__username", "owner__email", "=id")
    search_help_text = _("Owner's name or address, or an export's id")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    show_full_result_count = False
    view_on_site = False  # the owner's page is for the owner alone
    inlines = (EventInline, MailInline)
    actions = ("cancel",)
    fieldsets = (
        (None, {"fields": ("id", "owner", "kind", "status", "progress", "rows", "job")}),
        (_("Times"), {"fields": ("created_at", "started_at", "finished_at", "took", "lease_expires_at")}),
        (_("Attempts"), {"fields": ("attempt", "crashes", "error_code", "trace")}),
        # Not the file itself: what people wrote is not for staff to read.
        (_("Archive"), {"fields": ("size", "archive_sha256", "archive_expires_at")}),
    )

    class Media:
        css = {"all": ("css/admin-exports.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExportTask]:
        return super().get_queryset(request).defer("traceback")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("exports.cancel_exporttask")

    @admin.action(description=_("Cancel"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, tasks: QuerySet[ExportTask]) -> None:
        cancelled = [task for task in tasks if task.cancel()]
        all(map(jobs.withdraw, cancelled))  # up to the first that finds the broker away
        for task in cancelled:
            self.log_change(request, task, "Cancelled.")
        self.message_user(
            request, ngettext("%(n)d cancelled.", "%(n)d cancelled.", len(cancelled)) % {"n": len(cancelled)}
        )

    @admin.display(description=_("progress"), ordering="rows_done")
    def progress(self, task: ExportTask) -> SafeString | str:
        if not task.is_unfinished:
            return "–"
        value = percent(task.status, task.rows_done, task.rows_total)
        return format_html('<progress value="{0}" max="100" aria-label="{1}">{0} %</progress> {0} %', value, count(
            task.rows_done, task.rows_total
        ))  # fmt: skip

    @admin.display(description=_("posts"), ordering="rows_total")
    def rows(self, task: ExportTask) -> str:
        return count(task.rows_done, task.rows_total)

    @admin.display(description=_("size"), ordering="archive_bytes")
    def size(self, task: ExportTask) -> str:
        return filesizeformat(task.archive_bytes) if task.archive_bytes is not None else "–"

    @admin.display(description=_("duration"))
    def took(self, task: ExportTask) -> str:
        return f"{task.duration.total_seconds():.1f} s" if task.duration else "–"

    @admin.display(description=_("RQ job"))
    def job(self, task: ExportTask) -> SafeString:
        url = reverse("admin:django_rq_job_detail", args=[0, task.job_id])
        return format_html('<a href="{}">{}</a>', url, _("Job"))

    @admin.display(description=_("traceback"))
    def trace(self, task: ExportTask) -> SafeString | str:
        return format_html("<pre>{}</pre>", task.traceback) if task.traceback else "–"


admin.site.unregister(Dashboard)
admin.site.register(Dashboard, GuardedQueueAdmin)
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
