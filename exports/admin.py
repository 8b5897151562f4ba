"""The exports in the admin: everything is shown, nothing is edited by hand."""

from collections.abc import Callable
from datetime import datetime, timedelta
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
from django.utils import timezone
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

from blog.http import AuthenticatedRequest

from .archive.kinds import KINDS
from .models import ErrorCode, ExportMail, ExportTask, MailStatus
from .staff import live_list as live
from .staff import queue
from .staff.actions import ACTIONS, MOST, Action, Rest
from .staff.permissions import DASHBOARD
from .staff.rq_dashboard import GuardedQueueAdmin

Lookups = list[tuple[str, StrOrPromise]]


class ReadOnly:
    """Rows to look at, not to change."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class KindFilter(admin.SimpleListFilter):
    """Django's own would look through all rows for the kinds that there are."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [(name, kind.words.label) for name, kind in KINDS.items()]

    def queryset(self, request: HttpRequest, tasks: QuerySet[ExportTask]) -> QuerySet[ExportTask]:
        return tasks.filter(kind=self.value()) if self.value() in KINDS else tasks


class FailureFilter(admin.SimpleListFilter):
    title = _("failure")
    parameter_name = "failure"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [
            ("crashed", _("Interrupted three times")),
            ("timeout", _("Took too long")),
            ("disk_full", _("No disk space")),
            ("error", _("Error in the build")),
            ("mail", _("E-mail given up")),
            ("late", _("E-mail delayed")),
            ("bounced", _("E-mail refused by the provider")),
        ]

    def queryset(self, request: HttpRequest, tasks: QuerySet[ExportTask]) -> QuerySet[ExportTask]:
        value = self.value() or ""
        if value == "mail":
            return tasks.filter(
                pk__in=ExportMail.objects.filter(status=MailStatus.GAVE_UP).values("task")
            )
        if value == "late":
            late = ExportMail.objects.filter(status=MailStatus.PENDING, tries__gt=0)
            return tasks.filter(pk__in=late.values("task"))
        if value == "bounced":
            return tasks.filter(
                pk__in=ExportMail.objects.filter(bounced_at__isnull=False).values("task")
            )
        return tasks.filter(error_code=value.upper()) if value.upper() in ErrorCode else tasks


class AgeFilter(admin.SimpleListFilter):
    title = _("age")
    parameter_name = "age"
    AGES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [
            ("hour", _("Up to an hour")),
            ("day", _("Up to 24 hours")),
            ("week", _("Up to 7 days")),
            ("older", _("Older than 7 days")),
        ]

    def queryset(self, request: HttpRequest, tasks: QuerySet[ExportTask]) -> QuerySet[ExportTask]:
        value = self.value() or ""
        if value == "older":
            return tasks.filter(created_at__lt=timezone.now() - self.AGES["week"])
        return (
            tasks.filter(created_at__gte=timezone.now() - self.AGES[value])
            if value in self.AGES
            else tasks
        )


class MovingList(ChangeList):
    """A page of exports with what the queue knows of them, read once for all rows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        tasks = list(self.result_list)
        cells = live.describe(tasks, queue.read())
        for task in tasks:
            vars(task)["live"] = cells[task.pk]
        self.result_list = tasks


def moving(column: str, description: StrOrPromise) -> Callable[..., SafeString]:
    """A column whose words desk-list.js keeps up to date."""

    @admin.display(description=description)
    def show(self: Any, task: ExportTask) -> SafeString:
        return format_html('<span data-live="{}">{}</span>', column, cells_of(task)[column])

    return show


def cells_of(task: ExportTask) -> dict[str, Any]:
    cells: dict[str, Any] | None = vars(task).get("live")
    if cells is None:
        cells = vars(task)["live"] = live.describe([task], queue.read())[task.pk]
    return cells


@admin.register(ExportTask)
class ExportTaskAdmin(ReadOnly, admin.ModelAdmin[ExportTask]):
    list_display = (
        "whose", "state", "progress", "place", "attempts", "worker", "heard", "estimate", "mail", "requested"
    )  # fmt: skip
    list_display_links = ("whose",)
    list_filter = ("status", KindFilter, FailureFilter, AgeFilter)
    list_select_related = ("owner",)
    list_per_page = list_max_show_all = 50
    search_fields = ("owner__username", "owner__email")
    search_help_text = _("Owner's name or address, an export's id, or a Message-ID")
    ordering = ("-created_at",)
    show_full_result_count = False
    view_on_site = False  # the owner's page is for the owner alone
    change_list_template = "admin/exporttask_list.html"
    state = moving("state", _("state"))
    place = moving("place", _("place"))
    attempts = moving("attempts", _("attempts"))
    worker = moving("worker", _("worker"))
    heard = moving("heard", _("heard from"))
    estimate = moving("estimate", _("ready in"))
    mail = moving("mail", _("e-mail"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExportTask]:
        return super().get_queryset(request).prefetch_related("mails")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MovingList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ExportTask], search_term: str
    ) -> tuple[QuerySet[ExportTask], bool]:
        """A UUID, alone or in a Message-ID, names an export or one of its mails; all else its owner."""
        try:
            key = UUID(search_term.strip().lstrip("<").partition("@")[0])
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(
            Q(pk=key) | Q(pk__in=ExportMail.objects.filter(pk=key).values("task"))
        ), False

    # Actions

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("live/", view(require_safe(self.live_view)), name="exports_exporttask_live"),
            path("act/<slug:name>/", view(self.act_view), name="exports_exporttask_act"),
        ]
        return own + super().get_urls()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            action.name: (partial(self._choose, action), action.name, action.label)
            for action in ACTIONS.values()
            if request.user.has_perm(action.permission)
        }

    @staticmethod
    def _choose(
        action: Action, model_admin: Any, request: HttpRequest, tasks: QuerySet[ExportTask]
    ) -> HttpResponse:
        """From the list to the page that asks whether it is meant."""
        chosen = [("task", str(pk)) for pk in tasks.values_list("pk", flat=True)[:MOST]]
        return redirect(
            f"{reverse('admin:exports_exporttask_act', args=[action.name])}?{urlencode(chosen)}"
        )

    def act_view(self, request: AuthenticatedRequest, name: str) -> HttpResponse:
        action = ACTIONS.get(name)
        if action is None:
            raise Http404
        if not request.user.has_perm(action.permission) or not self.has_view_permission(request):
            raise PermissionDenied
        tasks = self._chosen(request, request.POST if request.method == "POST" else request.GET)
        if request.method == "POST":
            return self._act(request, action, tasks)
        context = self.admin_site.each_context(request) | {
            "title": action.label,
            "action": action,
            "opts": self.opts,
            "tasks": [(task, action.applies(task)) for task in tasks],
            "is_possible": any(map(action.applies, tasks)),
        }
        return TemplateResponse(request, "admin/exporttask_act.html", context)

    def _act(self, request: AuthenticatedRequest, action: Action, tasks: list[ExportTask]) -> HttpResponse:
        done: list[Rest] = []
        for task in tasks:
            if action.applies(task) and (rest := action.act(task, request.user)):
                self.log_change(request, task, action.done)
                done.append(rest)
        all(rest() for rest in done)  # until one fails: a broker that hangs takes seconds a call
        if done:
            words = ngettext(
                "%(action)s: done for %(n)d export.",
                "%(action)s: done for %(n)d exports.",
                len(done),
            )
            messages.success(request, words % {"action": action.label, "n": len(done)})
        if left := len(tasks) - len(done):
            words = ngettext(
                "%(n)d export was left as it is: it is not in a state for that.",
                "%(n)d exports were left as they are: they are not in a state for that.",
                left,
            )
            messages.warning(request, words % {"n": left})
        if len(tasks) == 1:
            return redirect("admin:exports_exporttask_change", tasks[0].pk)
        return redirect("admin:exports_exporttask_changelist")

    def _chosen(self, request: HttpRequest, data: Any) -> list[ExportTask]:
        try:
            keys = [UUID(key) for key in data.getlist("task")[:MOST]]
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

    # The list moves

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """What the rows that are in sight say now; nothing is written."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            keys = [UUID(key) for key in request.GET.getlist("task")[:MOST]]
        except ValueError as error:
            raise Http404 from error
        tasks = list(self.get_queryset(request).filter(pk__in=keys))
        cells = live.describe(tasks, queue.read())
        newest = ExportTask.objects.order_by("-created_at").values_list("pk", flat=True).first()
        return JsonResponse(
            {"newest": newest, "tasks": {str(pk): row for pk, row in cells.items()}}
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        newest = ExportTask.objects.order_by("-created_at").values_list("pk", flat=True).first()
        return super().changelist_view(
            request, {"newest": newest, "title": gettext("Exports")} | (extra_context or {})
        )

    # One export

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
            "facts": self._facts(
                task, self.job(task, is_operator=request.user.has_perm(DASHBOARD))
            ),
            "events": task.events.select_related("actor"),
            "mails": task.mails.all(),
            "actions": [
                a
                for a in ACTIONS.values()
                if request.user.has_perm(a.permission) and a.applies(task)
            ],
        }
        return TemplateResponse(request, "admin/exporttask_detail.html", context)

    def _facts(self, task: ExportTask, job: SafeString | str) -> list[tuple[StrOrPromise, Any]]:
        """Not the file itself: what people wrote is not for staff to read."""
        return [
            (_("kind"), KINDS[task.kind].words.label),
            (_("state"), self.state(task)),
            (_("progress"), self.progress(task)),
            (_("place in the queue"), self.place(task)),
            (_("attempts"), self.attempts(task)),
            (_("worker"), self.worker(task)),
            (_("heard from"), self.heard(task)),
            (_("ready in"), self.estimate(task)),
            (_("error"), task.get_error_code_display()),
            (_("requested at"), _moment(task.created_at)),
            (_("started at"), _moment(task.started_at)),
            (_("finished at"), _moment(task.finished_at)),
            (_("duration"), f"{task.duration.total_seconds():.1f} s" if task.duration else ""),
            (
                _("size"),
                filesizeformat(task.archive_bytes) if task.archive_bytes is not None else "",
            ),
            (_("kept until"), _moment(task.archive_expires_at)),
            (_("RQ job"), job),
            ("SHA-256", task.archive_sha256),
            (_("id"), task.pk),
        ]

    @staticmethod
    def job(task: ExportTask, *, is_operator: bool) -> SafeString | str:
        """A link where there is something behind it, for those whom the dashboard lets in."""
        is_remembered = queue.is_remembered(task.job_id)
        if is_remembered is None:
            return gettext("The queue cannot be reached")
        if not is_remembered:
            return gettext("RQ has forgotten it, as it does some minutes after it is done")
        if not is_operator:
            return task.job_id
        url = reverse("admin:django_rq_job_detail", args=[0, task.job_id])
        return format_html('<a href="{}">{}</a>', url, task.job_id)

    # Columns and fields

    @admin.display(description=_("owner"), ordering="owner__username")
    def whose(self, task: ExportTask) -> SafeString:
        return format_html('<span data-task="{}">{}</span>', task.pk, task.owner.username)

    @admin.display(description=_("requested at"), ordering="created_at")
    def requested(self, task: ExportTask) -> str:
        return date_format(localtime(task.created_at), "SHORT_DATETIME_FORMAT")

    @admin.display(description=_("progress"), ordering="rows_done")
    def progress(self, task: ExportTask) -> SafeString:
        cells = cells_of(task)
        bar = '<progress max="100" value="{}" aria-label="{}" data-live="value"{}></progress> '
        shown = format_html(
            bar,
            cells["value"] or 0,
            gettext("Progress"),
            "" if cells["value"] is not None else " hidden",
        )
        return format_html('{}<span data-live="rows">{}</span>', shown, cells["rows"])


def _moment(at: datetime | None) -> str:
    """To the second, unlike the admin's own times."""
    return f"{date_format(localtime(at))}, {localtime(at):%H:%M:%S}" if at else ""


admin.site.unregister(Dashboard)
admin.site.register(Dashboard, GuardedQueueAdmin)
