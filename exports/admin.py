"""Exports in the admin: every state is shown, no row can be edited."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django_rq.models import Dashboard
from django_stubs_ext import StrOrPromise

from blog.admin.read_only import ReadOnlyMixin
from blog.http import AuthenticatedRequest
from tasks import broker

from .archive.kinds import KINDS
from .models import ExportMail, ExportTask
from .staff import live_list
from .staff.actions import ACTIONS, MAX_SELECTED, Action, Followup
from .staff.filters import AgeFilter, FailureFilter, KindFilter
from .staff.permissions import DASHBOARD
from .staff.rq_dashboard import GuardedQueueAdmin


class LiveChangeList(ChangeList):
    """Page of exports with their live cells; the queue is read once for all rows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        tasks = list(self.result_list)
        cells = live_list.render_cells(tasks, broker.read_state())
        for task in tasks:
            vars(task)["live_cells"] = cells[task.pk]
        self.result_list = tasks


def live_column(column: str, description: StrOrPromise) -> Callable[..., SafeString]:
    """Return a list column that staff-live-list.js keeps up to date."""

    @admin.display(description=description)
    def render(self: Any, task: ExportTask) -> SafeString:
        return format_html('<span data-live="{}">{}</span>', column, live_cells(task)[column])

    return render


def live_cells(task: ExportTask) -> dict[str, Any]:
    cells: dict[str, Any] | None = vars(task).get("live_cells")
    if cells is None:
        cells = live_list.render_cells([task], broker.read_state())[task.pk]
        vars(task)["live_cells"] = cells
    return cells


@admin.register(ExportTask)
class ExportTaskAdmin(ReadOnlyMixin, admin.ModelAdmin[ExportTask]):
    list_display = (
        "owner_name",
        "state",
        "progress",
        "position",
        "attempts",
        "worker",
        "last_heartbeat",
        "estimate",
        "mail",
        "requested",
    )
    list_display_links = ("owner_name",)
    list_filter = ("status", KindFilter, FailureFilter, AgeFilter)
    list_select_related = ("owner",)
    list_per_page = list_max_show_all = 50
    search_fields = ("owner__username", "owner__email")
    search_help_text = _("Owner's name or address, an export's id, or a Message-ID")
    ordering = ("-created_at",)
    show_full_result_count = False
    view_on_site = False  # staff cannot open the owner's page
    change_list_template = "admin/exporttask_list.html"
    state = live_column("state", _("state"))
    position = live_column("position", _("place"))
    attempts = live_column("attempts", _("attempts"))
    worker = live_column("worker", _("worker"))
    last_heartbeat = live_column("last_heartbeat", _("heard from"))
    estimate = live_column("estimate", _("ready in"))
    mail = live_column("mail", _("e-mail"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExportTask]:
        return super().get_queryset(request).prefetch_related("mails")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LiveChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ExportTask], search_term: str
    ) -> tuple[QuerySet[ExportTask], bool]:
        """Search for the owner or, by a UUID or Message-ID, for an export or one of its mails."""
        try:
            key = UUID(search_term.strip().lstrip("<").partition("@")[0])
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        mailed = ExportMail.objects.filter(pk=key).values("task")
        return queryset.filter(Q(pk=key) | Q(pk__in=mailed)), False

    # Actions

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        urls = [
            path("live/", view(require_safe(self.live_view)), name="exports_exporttask_live"),
            path("act/<slug:name>/", view(self.action_view), name="exports_exporttask_act"),
        ]
        return urls + super().get_urls()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            action.name: (
                partial(self._redirect_to_confirmation, action),
                action.name,
                action.label,
            )
            for action in ACTIONS.values()
            if request.user.has_perm(action.permission)
        }

    @staticmethod
    def _redirect_to_confirmation(
        action: Action, model_admin: Any, request: HttpRequest, tasks: QuerySet[ExportTask]
    ) -> HttpResponse:
        keys = tasks.values_list("pk", flat=True)[:MAX_SELECTED]
        query = urlencode([("task", str(pk)) for pk in keys])
        return redirect(f"{reverse('admin:exports_exporttask_act', args=[action.name])}?{query}")

    def action_view(self, request: AuthenticatedRequest, name: str) -> HttpResponse:
        action = ACTIONS.get(name)
        if action is None:
            raise Http404
        if not request.user.has_perm(action.permission) or not self.has_view_permission(request):
            raise PermissionDenied
        tasks = self._selected_tasks(
            request, request.POST if request.method == "POST" else request.GET
        )
        if request.method == "POST":
            return self._perform(request, action, tasks)
        context = self.admin_site.each_context(request) | {
            "title": action.label,
            "action": action,
            "opts": self.opts,
            "tasks": [(task, action.is_available(task)) for task in tasks],
            "is_available": any(map(action.is_available, tasks)),
        }
        return TemplateResponse(request, "admin/exporttask_confirmation.html", context)

    def _perform(
        self, request: AuthenticatedRequest, action: Action, tasks: list[ExportTask]
    ) -> HttpResponse:
        followups: list[Followup] = []
        for task in tasks:
            if action.is_available(task) and (followup := action.perform(task, request.user)):
                self.log_change(request, task, action.log_message)
                followups.append(followup)
        # Stop at the first failure: with a broker that hangs each call takes seconds.
        all(followup() for followup in followups)
        if followups:
            text = ngettext(
                "%(action)s: done for %(n)d export.",
                "%(action)s: done for %(n)d exports.",
                len(followups),
            )
            messages.success(request, text % {"action": action.label, "n": len(followups)})
        if unchanged := len(tasks) - len(followups):
            text = ngettext(
                "%(n)d export was left as it is: it is not in a state for that.",
                "%(n)d exports were left as they are: they are not in a state for that.",
                unchanged,
            )
            messages.warning(request, text % {"n": unchanged})
        if len(tasks) == 1:
            return redirect("admin:exports_exporttask_change", tasks[0].pk)
        return redirect("admin:exports_exporttask_changelist")

    def _selected_tasks(self, request: HttpRequest, data: Any) -> list[ExportTask]:
        try:
            keys = [UUID(key) for key in data.getlist("task")[:MAX_SELECTED]]
        except ValueError as error:
            raise Http404 from error
        tasks = list(
            self.get_queryset(request)
            .select_related("owner")
            .filter(pk__in=keys)
            .order_by("-created_at")
        )
        if not tasks:
            raise Http404
        return tasks

    # Live list

    def live_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            keys = [UUID(key) for key in request.GET.getlist("task")[:MAX_SELECTED]]
        except ValueError as error:
            raise Http404 from error
        tasks = list(self.get_queryset(request).filter(pk__in=keys))
        cells = live_list.render_cells(tasks, broker.read_state())
        rows = {str(pk): row for pk, row in cells.items()}
        return JsonResponse({"newest": newest_task_id(), "tasks": rows})

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"newest": newest_task_id(), "title": gettext("Exports")}
        return super().changelist_view(request, context | (extra_context or {}))

    # Detail page

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        task = self.get_object(request, object_id)
        if task is None:
            raise Http404
        context = self.admin_site.each_context(request) | {
            "title": gettext("Export of %(owner)s") % {"owner": task.owner.username},
            "task": task,
            "details": self._details(
                task, self.job(task, is_operator=request.user.has_perm(DASHBOARD))
            ),
            "events": task.events.select_related("actor"),
            "mails": task.mails.all(),
            "actions": [
                action
                for action in ACTIONS.values()
                if request.user.has_perm(action.permission) and action.is_available(task)
            ],
        }
        return TemplateResponse(request, "admin/exporttask_detail.html", context)

    def _details(self, task: ExportTask, job: SafeString | str) -> list[tuple[StrOrPromise, Any]]:
        """Return labels and values; never the archive itself, which staff must not read."""
        return [
            (_("kind"), KINDS[task.kind].texts.label),
            (_("state"), self.state(task)),
            (_("progress"), self.progress(task)),
            (_("place in the queue"), self.position(task)),
            (_("attempts"), self.attempts(task)),
            (_("worker"), self.worker(task)),
            (_("heard from"), self.last_heartbeat(task)),
            (_("ready in"), self.estimate(task)),
            (_("error"), task.get_error_code_display()),
            (_("requested at"), _format_time(task.created_at)),
            (_("started at"), _format_time(task.started_at)),
            (_("finished at"), _format_time(task.finished_at)),
            (_("duration"), f"{task.duration.total_seconds():.1f} s" if task.duration else ""),
            (
                _("size"),
                filesizeformat(task.archive_bytes) if task.archive_bytes is not None else "",
            ),
            (_("kept until"), _format_time(task.archive_expires_at)),
            (_("RQ job"), job),
            ("SHA-256", task.archive_sha256),
            (_("id"), task.pk),
        ]

    @staticmethod
    def job(task: ExportTask, *, is_operator: bool) -> SafeString | str:
        """Return a link to the job if it exists and the user can open the dashboard."""
        exists = broker.job_exists(task.job_id)
        if exists is None:
            return gettext("The queue cannot be reached")
        if not exists:
            return gettext("RQ has forgotten it, as it does some minutes after it is done")
        if not is_operator:
            return task.job_id
        url = reverse("admin:django_rq_job_detail", args=[0, task.job_id])
        return format_html('<a href="{}">{}</a>', url, task.job_id)

    # Columns

    @admin.display(description=_("owner"), ordering="owner__username")
    def owner_name(self, task: ExportTask) -> SafeString:
        return format_html('<span data-task="{}">{}</span>', task.pk, task.owner.username)

    @admin.display(description=_("requested at"), ordering="created_at")
    def requested(self, task: ExportTask) -> str:
        return date_format(localtime(task.created_at), "SHORT_DATETIME_FORMAT")

    @admin.display(description=_("progress"), ordering="rows_done")
    def progress(self, task: ExportTask) -> SafeString:
        cells = live_cells(task)
        return format_html(
            '<progress max="100" value="{value}" aria-label="{label}" data-live="value"{hidden}>'
            '</progress> <span data-live="rows">{rows}</span>',
            value=cells["value"] or 0,
            label=gettext("Progress"),
            hidden="" if cells["value"] is not None else " hidden",
            rows=cells["rows"],
        )


def newest_task_id() -> UUID | None:
    return ExportTask.objects.order_by("-created_at").values_list("pk", flat=True).first()


def _format_time(moment: datetime | None) -> str:
    """Format with seconds, which the admin omits."""
    return f"{date_format(localtime(moment))}, {localtime(moment):%H:%M:%S}" if moment else ""


admin.site.unregister(Dashboard)
admin.site.register(Dashboard, GuardedQueueAdmin)
