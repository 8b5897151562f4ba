"""Admin pages of one kind of task."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cached_property, partial
from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
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
from django_stubs_ext import StrOrPromise

from microblog.http import AuthenticatedRequest
from tasks import broker
from tasks.models import Mail, MailStatus, Task

from .. import live_list
from ..actions import CANCEL, MAX_SELECTED, RESCUE, Action, Followup
from ..diagnosis import Finding
from ..filters import AgeFilter, FailureFilter
from ..kinds import kind_title, mail_model_of, page_url, row_title, row_url
from ..overview import Fact
from ..permissions import DASHBOARD, permission
from .base import Details, ReadOnlyAdmin, format_time, parse_id


class LiveChangeList(ChangeList):
    """Page of tasks with their live cells; the queue is read once for all rows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        tasks = list(self.result_list)
        task_admin = cast(TaskAdmin, self.model_admin)
        cells = task_admin.cells.render_all(tasks, broker.read_state())
        for task in tasks:
            vars(task)["live_cells"] = cells[task.pk]
        self.result_list = tasks


def live_column(column: str, description: StrOrPromise) -> Callable[..., SafeString]:
    """Return a list column that staff-live-list.js keeps up to date."""

    @admin.display(description=description)
    def render(self: "TaskAdmin", task: Task) -> SafeString:
        return format_html('<span data-live="{}">{}</span>', column, self.live_cells(task)[column])

    return render


class TaskAdmin(ReadOnlyAdmin):
    """Pages of one kind of task: live list, page of a task with its timeline, and actions."""

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
    list_filter: ClassVar[Any] = ("status", FailureFilter, AgeFilter)
    list_select_related = ("owner",)
    search_fields = ("owner__username", "owner__email")
    search_help_text = _("Owner's name or address, a task's id, or a Message-ID")
    change_list_template = "admin/task_list.html"
    task_actions: tuple[Action, ...] = (CANCEL, RESCUE)
    cells = live_list.LiveCells()
    state = live_column("state", _("state"))
    position = live_column("position", _("place"))
    attempts = live_column("attempts", _("attempts"))
    worker = live_column("worker", _("worker"))
    last_heartbeat = live_column("last_heartbeat", _("heard from"))
    estimate = live_column("estimate", _("ready in"))
    mail = live_column("mail", _("e-mail"))

    # What a kind can add

    def extra_details(self, task: Any) -> Details:
        return []

    def extra_mail_details(self, mail: Any) -> Details:
        return []

    def find_problems(self) -> Iterable[Finding]:
        """Return findings of the diagnosis that only this kind has."""
        return []

    def find_facts(self, now: datetime) -> Iterable[Fact]:
        """Return lines of the overview that only this kind has."""
        return []

    # Rows

    @cached_property
    def mail_model(self) -> type[Mail] | None:
        return mail_model_of(self.model)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        tasks = super().get_queryset(request)
        return tasks.prefetch_related("mails") if self.mail_model else tasks

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LiveChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search for the owner or, by a UUID or Message-ID, for a task or one of its mails."""
        key = parse_id(search_term)
        if key is None:
            return super().get_search_results(request, queryset, search_term)
        found = Q(pk=key)
        if self.mail_model:
            found |= Q(pk__in=self.mail_model.objects.filter(pk=key).values("task"))
        return queryset.filter(found), False

    def live_cells(self, task: Any) -> live_list.Cells:
        cells: live_list.Cells | None = vars(task).get("live_cells")
        if cells is None:
            cells = self.cells.render_all([task], broker.read_state())[task.pk]
            vars(task)["live_cells"] = cells
        return cells

    def newest_id(self) -> UUID | None:
        newest = self.model.objects.order_by("-created_at").values_list("pk", flat=True)
        return newest.first()  # type: ignore[no-any-return]  # the kind's manager is untyped

    # Actions

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        urls = [
            path("live/", view(require_safe(self.live_view)), name=f"{name}_live"),
            path("act/<slug:name>/", view(self.action_view), name=f"{name}_act"),
        ]
        return urls + super().get_urls()

    def get_action_named(self, name: str) -> Action | None:
        return next((action for action in self.task_actions if action.name == name), None)

    def action_permission(self, action: Action) -> str:
        return permission(self.model, action.codename)

    def action_url(self, action: Action, task: Any) -> str:
        return f"{page_url(self.model, 'act', action.name)}?{urlencode({'task': task.pk})}"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            action.name: (
                partial(self._redirect_to_confirmation, action),
                action.name,
                action.label,
            )
            for action in self.task_actions
            if request.user.has_perm(self.action_permission(action))
        }

    def _redirect_to_confirmation(
        self, action: Action, model_admin: Any, request: HttpRequest, tasks: QuerySet[Any]
    ) -> HttpResponse:
        keys = tasks.values_list("pk", flat=True)[:MAX_SELECTED]
        query = urlencode([("task", str(pk)) for pk in keys])
        return redirect(f"{page_url(self.model, 'act', action.name)}?{query}")

    def action_view(self, request: AuthenticatedRequest, name: str) -> HttpResponse:
        action = self.get_action_named(name)
        if action is None:
            raise Http404
        is_allowed = request.user.has_perm(self.action_permission(action))
        if not is_allowed or not self.has_view_permission(request):
            raise PermissionDenied
        tasks = self._selected_tasks(
            request, request.POST if request.method == "POST" else request.GET
        )
        if request.method == "POST":
            return self._perform(request, action, tasks)
        context = self.admin_site.each_context(request) | {
            "title": action.label,
            "action": action,
            "kind": kind_title(self.model),
            "list_url": page_url(self.model, "changelist"),
            "tasks": [(task, action.is_available(task)) for task in tasks],
            "is_available": any(map(action.is_available, tasks)),
        }
        return TemplateResponse(request, "admin/task_confirmation.html", context)

    def _perform(
        self, request: AuthenticatedRequest, action: Action, tasks: list[Any]
    ) -> HttpResponse:
        followups: list[Followup] = []
        for task in tasks:
            if action.is_available(task) and (followup := action.perform(task, request.user)):
                self.log_change(request, task, action.log_message)
                followups.append(followup)
        # Stop at the first failure: with a broker that hangs each call takes seconds.
        all(followup() for followup in followups)
        self._report(request, action, len(followups), len(tasks) - len(followups))
        if len(tasks) == 1:
            return redirect(row_url(tasks[0]))
        return redirect(page_url(self.model, "changelist"))

    @staticmethod
    def _report(request: HttpRequest, action: Action, done: int, unchanged: int) -> None:
        if done:
            text = ngettext(
                "%(action)s: done for %(n)d task.", "%(action)s: done for %(n)d tasks.", done
            )
            messages.success(request, text % {"action": action.label, "n": done})
        if unchanged:
            text = ngettext(
                "%(n)d task was not changed: it is not in a state for that.",
                "%(n)d tasks were not changed: they are not in a state for that.",
                unchanged,
            )
            messages.warning(request, text % {"n": unchanged})

    def _selected_tasks(self, request: HttpRequest, data: Any) -> list[Any]:
        tasks = self.get_queryset(request).select_related("owner")
        found = list(tasks.filter(pk__in=_task_ids(data)).order_by("-created_at"))
        if not found:
            raise Http404
        return found

    # Live list

    def live_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        tasks = list(self.get_queryset(request).filter(pk__in=_task_ids(request.GET)))
        cells = self.cells.render_all(tasks, broker.read_state())
        rows = {str(pk): row for pk, row in cells.items()}
        return JsonResponse({"newest": self.newest_id(), "tasks": rows})

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"newest": self.newest_id(), "live_url": page_url(self.model, "live")}
        return super().changelist_view(request, context | (extra_context or {}))

    # Page of one task

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
        mails = task.mails.all() if self.mail_model else []
        context = self.admin_site.each_context(request) | {
            "title": row_title(task),
            "task": task,
            "kind": kind_title(self.model),
            "list_url": page_url(self.model, "changelist"),
            "live_url": page_url(self.model, "live"),
            "history_url": page_url(self.model, "history", task.pk),
            "details": self._details(request, task),
            "events": task.events.select_related("actor") if hasattr(task, "events") else None,
            "mails": [mail_details(mail) + self.extra_mail_details(mail) for mail in mails],
            "has_mails": self.mail_model is not None,
            "actions": [
                (action.label, self.action_url(action, task))
                for action in self.task_actions
                if request.user.has_perm(self.action_permission(action))
                and action.is_available(task)
            ],
        }
        return TemplateResponse(request, "admin/task_detail.html", context)

    def _details(self, request: HttpRequest, task: Any) -> Details:
        job = render_job(task.job_id, has_dashboard=request.user.has_perm(DASHBOARD))
        return [
            (_("state"), self.state(task)),
            (_("progress"), self.progress(task)),
            (_("place in the queue"), self.position(task)),
            (_("attempts"), self.attempts(task)),
            (_("worker"), self.worker(task)),
            (_("heard from"), self.last_heartbeat(task)),
            (_("ready in"), self.estimate(task)),
            (_("error"), task.get_error_code_display()),
            (_("requested at"), format_time(task.created_at)),
            (_("started at"), format_time(task.started_at)),
            (_("finished at"), format_time(task.finished_at)),
            (_("duration"), f"{task.duration.total_seconds():.1f} s" if task.duration else ""),
            (_("RQ job"), job),
            (_("id"), task.pk),
            *self.extra_details(task),
        ]

    # Columns

    @admin.display(description=_("owner"), ordering="owner__username")
    def owner_name(self, task: Any) -> SafeString:
        name = task.owner.username if task.owner else live_list.EMPTY
        return format_html('<span data-task="{}">{}</span>', task.pk, name)

    @admin.display(description=_("requested at"), ordering="created_at")
    def requested(self, task: Any) -> str:
        return date_format(localtime(task.created_at), "SHORT_DATETIME_FORMAT")

    @admin.display(description=_("progress"), ordering="rows_done")
    def progress(self, task: Any) -> SafeString:
        cells = self.live_cells(task)
        return format_html(
            '<progress max="100" value="{value}" aria-label="{label}" data-live="value"{hidden}>'
            '</progress> <span data-live="rows">{rows}</span>',
            value=cells["value"] or 0,
            label=gettext("Progress"),
            hidden="" if cells["value"] is not None else " hidden",
            rows=cells["rows"],
        )


def mail_details(mail: Mail) -> Details:
    is_pending = mail.status == MailStatus.PENDING
    return [
        (_("state"), mail.get_status_display()),
        (_("saved at"), format_time(mail.created_at)),
        (_("tries"), mail.tries),
        (_("sent at"), format_time(mail.sent_at)),
        (_("next try"), format_time(mail.next_try_at) if is_pending else ""),
        ("Message-ID", mail.message_id),
        (_("last error"), mail.error),
    ]


def render_job(job_id: str, *, has_dashboard: bool) -> SafeString | str:
    exists = broker.job_exists(job_id)
    if exists is None:
        return gettext("The queue cannot be reached")
    if not exists:
        return gettext("RQ has forgotten it, as it does some minutes after it is done")
    if not has_dashboard:
        return job_id
    url = reverse("admin:django_rq_job_detail", args=[0, job_id])
    return format_html('<a href="{}">{}</a>', url, job_id)


def _task_ids(data: Any) -> list[UUID]:
    try:
        return [UUID(key) for key in data.getlist("task")[:MAX_SELECTED]]
    except ValueError as error:
        raise Http404 from error
