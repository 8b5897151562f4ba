"""The owner's last exports, and the box that requests one."""

from typing import Any

from django import template
from django.template import RequestContext

from blog.models import User
from exports.archive.kinds import KINDS, Kind
from exports.models import ExportTask
from exports.progress import render_progress
from exports.requests import RequestOption, request_options

register = template.Library()

MAX_SHOWN = 20  # newest notifications of which unseen failures are shown


@register.filter
def kind(task: ExportTask) -> Kind:
    return KINDS[task.kind]


@register.filter
def can_request_again(options: dict[str, RequestOption], task: ExportTask) -> bool:
    return options[task.kind].is_available


@register.filter
def progress(task: ExportTask) -> dict[str, Any]:
    return render_progress(task.shown_payload())


@register.simple_tag(takes_context=True)
def recent_exports(context: RequestContext) -> list[dict[str, Any]]:
    """Return what to show of the user's last exports that have ended, in the sidebar."""
    rows = getattr(context["request"], "task_notifications", [])
    prefix = f"{ExportTask.notification_prefix}:"
    exports = [render_progress(row.payload) for row in rows if row.name.startswith(prefix)]
    return [export for export in exports[: len(KINDS)] if not export["active"]]


@register.inclusion_tag("exports/_request_box.html", takes_context=True)
def export_request_box(context: RequestContext, user: User, kind: str) -> dict[str, Any]:
    return {"csrf_token": context.get("csrf_token"), "option": request_options(user)[kind]}
