"""Progress of an export as its owner sees it, rendered from a notification's payload."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from tasks.models import MAX_CRASHES
from tasks.progress import percent, render_minutes

from .archive.kinds import KINDS
from .models import ErrorCode, MailStatus, Status


def render_progress(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the bar and texts of one export in the active language, JSON-ready.

    `payload` is that of `ExportTask.payload()`.
    """
    status = Status(payload["status"])
    toast = _toast(payload, status)
    return {
        "task": payload["task"],
        "title": str(KINDS[payload["kind"]].texts.title),
        "url": reverse("exports:task-detail", args=[payload["task"]]),
        "active": toast is None and status != Status.CANCELLED,
        "value": percent(status, payload["rows_done"], payload["rows_total"]),
        "max": 100,
        "text": _status_text(payload, status),
        "label": render_count(payload["rows_done"], payload["rows_total"], payload["kind"]),
        "toast": toast,
    }


def render_count(rows_done: int, rows_total: int, kind: str) -> str:
    """Return "1,200 of 5,000 posts", with the unit of the archive's kind."""
    return KINDS[kind].progress_text(rows_done, rows_total)


def _status_text(payload: dict[str, Any], status: Status) -> str:
    if status == Status.READY and payload.get("paused"):
        return _(
            "Paused: nothing is being built at the moment. Your request is kept, and goes on "
            "by itself"
        )
    if payload["crashes"] and status in (Status.READY, Status.RUNNING):
        numbers = {"try": payload["crashes"] + 1, "tries": MAX_CRASHES}
        return _("Interrupted; trying again (%(try)d of %(tries)d)") % numbers
    return {
        Status.READY: _queue_text(payload),
        Status.RUNNING: _("Your archive is being built"),
        Status.SUCCESSFUL: _delivery_text(payload),
        Status.FAILED: _("Your archive could not be built"),
        Status.CANCELLED: _("Cancelled"),
    }[status]


def _queue_text(payload: dict[str, Any]) -> str:
    place = payload.get("place")
    if place is None:
        return _("Your archive is waiting for its turn")
    if payload["wait"] is None:
        return _("Number %(place)s in line") % {"place": place}
    return _("Number %(place)s in line, ready in %(time)s") % {
        "place": place,
        "time": render_minutes(*payload["wait"]),
    }


def _delivery_text(payload: dict[str, Any]) -> str:
    if payload.get("bounced"):
        return _("Your mail provider refused the mail: download it here")
    if payload["mail"] == MailStatus.SENT:
        return _("Your archive is in your mailbox")
    if payload["mail"] == MailStatus.GAVE_UP:
        return _("Your archive is ready, but could not be mailed: download it here")
    return _("Your archive is ready. The e-mail is on its way")


def _toast(payload: dict[str, Any], status: Status) -> dict[str, str] | None:
    """Return the final notification; None while the export or its mail is unfinished."""
    toast = {
        "title": str(KINDS[payload["kind"]].texts.title),
        "url": reverse("exports:task-detail", args=[payload["task"]]),
    }
    if status == Status.FAILED:
        reason = ErrorCode(payload["error_code"]).label
        text = _("%(state)s. %(reason)s") % {
            "state": _status_text(payload, status),
            "reason": reason,
        }
        return toast | {"level": "danger", "text": text}
    if status != Status.SUCCESSFUL or payload["mail"] not in (MailStatus.SENT, MailStatus.GAVE_UP):
        return None
    is_mailed = payload["mail"] == MailStatus.SENT and not payload.get("bounced")
    level = "success" if is_mailed else "warning"
    return toast | {"level": level, "text": _delivery_text(payload)}
