"""Progress bars on all pages, and the box that requests an export."""

from typing import Any

from django import template
from django.db.models import QuerySet
from django.template import RequestContext

from blog.models import PK_PLACEHOLDER, CompiledQuery, Notification, User
from exports.archive.kinds import KINDS, Kind
from exports.models import ExportTask
from exports.progress import render_progress
from exports.requests import RequestOption, request_options

register = template.Library()


def _recent_notifications(user_id: int) -> QuerySet[Notification]:
    rows = Notification.objects.filter(user=user_id, name__startswith="export:")
    return rows.order_by("-updated_at")[: len(KINDS)]


def _tasks_in_progress(user_id: int) -> QuerySet[ExportTask]:
    return ExportTask.objects.in_progress().filter(owner=user_id).order_by("created_at")


recent_notifications = CompiledQuery(_recent_notifications, PK_PLACEHOLDER)
tasks_in_progress = CompiledQuery(_tasks_in_progress, PK_PLACEHOLDER)


@register.filter
def kind(task: ExportTask) -> Kind:
    return KINDS[task.kind]


@register.filter
def can_request_again(options: dict[str, RequestOption], task: ExportTask) -> bool:
    return options[task.kind].is_available


@register.filter
def progress(task: ExportTask) -> dict[str, Any]:
    return render_progress(task.last_payload() if task.is_unfinished else task.payload())


@register.inclusion_tag("exports/_progress_bars.html", takes_context=True)
def export_progress_bars(context: RequestContext) -> dict[str, Any]:
    """Render a bar for each export in progress, and an alert for each unread failure."""
    user: User = context["request"].user
    notifications = list(recent_notifications(user.pk))
    context["request"].export_notifications = notifications  # for `recent_exports`: no query
    toasts = [render_progress(row.payload)["toast"] for row in notifications if row.read_at is None]
    return {
        "bars": [progress(task) for task in tasks_in_progress(user.pk)],
        "opened_at": getattr(user, "loaded_at", None),
        "since": notifications[0].updated_at if notifications else None,
        "failures": [toast for toast in toasts if toast and toast["level"] != "success"],
    }


@register.simple_tag(takes_context=True)
def recent_exports(context: RequestContext) -> list[dict[str, Any]]:
    """Return what to show of the user's last exports that have ended, in the sidebar."""
    rows = getattr(context["request"], "export_notifications", [])
    exports = [render_progress(row.payload) for row in rows]
    return [export for export in exports if not export["active"]]


@register.inclusion_tag("exports/_request_box.html", takes_context=True)
def export_request_box(context: RequestContext, user: User, kind: str) -> dict[str, Any]:
    return {"csrf_token": context.get("csrf_token"), "option": request_options(user)[kind]}
