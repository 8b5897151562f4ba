"""Progress bars on all pages, and the box that requests an export."""

from typing import Any

from django import template
from django.template import RequestContext

from blog.models import User
from exports.archive.kinds import KINDS, Kind
from exports.models import ExportTask
from exports.progress import render_progress
from exports.requests import RequestOption, request_options

register = template.Library()


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
    rows = user.notifications.filter(name__startswith="export:").order_by("-updated_at")
    notifications = list(rows[: len(KINDS)])
    context["request"].export_notifications = notifications  # for `recent_exports`: no query
    toasts = [render_progress(row.payload)["toast"] for row in notifications if row.read_at is None]
    return {
        "bars": [progress(task) for task in user.export_tasks.in_progress().order_by("created_at")],
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
