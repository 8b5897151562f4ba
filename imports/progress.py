"""Progress of an import as its owner sees it, rendered from a notification's payload."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks.models import MAX_CRASHES, UNFINISHED_STATUSES, Status
from tasks.progress import percent

from .models import ErrorCode, Phase

ERRORS = dict(ErrorCode)


def render_progress(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the bar and texts of one import in the active language, JSON-ready."""
    return {
        "task": payload["task"],
        "title": _("Import"),
        "url": _url(payload),
        "active": payload["status"] in UNFINISHED_STATUSES,
        "value": percent(payload["status"], payload["rows_done"], payload["rows_total"]),
        "max": 100,
        "text": _status_text(payload),
        "label": _count_text(payload),
        "toast": _toast(payload),
    }


def _count_text(payload: dict[str, Any]) -> str:
    if not payload["rows_total"]:
        return ""
    total = payload["rows_total"]
    numbers = {"done": f"{min(payload['rows_done'], total):,}", "total": f"{total:,}"}
    return ngettext("%(done)s of %(total)s post", "%(done)s of %(total)s posts", total) % numbers


def _status_text(payload: dict[str, Any]) -> str:
    status, phase = Status(payload["status"]), Phase(payload["phase"])
    if status == Status.CANCELLED:
        return _("Cancelled")
    if status == Status.FAILED:
        return {
            Phase.PREVIEW: _("Your archive could not be read"),
            Phase.IMPORT: _("Your posts could not all be imported"),
            Phase.UNDO: _("Your import could not be undone"),
        }[phase]
    if status == Status.SUCCESSFUL:
        return _success_text(payload, phase)
    if payload["crashes"]:
        numbers = {"try": payload["crashes"] + 1, "tries": MAX_CRASHES}
        return _("Interrupted; trying again (%(try)d of %(tries)d)") % numbers
    if status == Status.READY:
        return _("Your import is waiting for its turn")
    return {
        Phase.PREVIEW: _("Your archive is being read"),
        Phase.IMPORT: _("Your posts are being imported"),
        Phase.UNDO: _("Your import is being undone"),
    }[phase]


def _success_text(payload: dict[str, Any], phase: Phase) -> str:
    if phase == Phase.PREVIEW:
        return _("Look at the preview and confirm: nothing is imported yet")
    count = payload["imported"]
    if phase == Phase.UNDO:
        if not count:
            return _("Your import was undone")
        return ngettext(
            "Your import was undone. %(count)s post was kept, because you had edited it",
            "Your import was undone. %(count)s posts were kept, because you had edited them",
            count,
        ) % {"count": f"{count:,}"}
    return ngettext("%(count)s post was imported", "%(count)s posts were imported", count) % {
        "count": f"{count:,}"
    }


def _toast(payload: dict[str, Any]) -> dict[str, str] | None:
    """Return the notification about the end of a phase; None before."""
    text = _status_text(payload)
    toast = {"title": _("Import"), "url": _url(payload)}
    if payload["status"] == Status.FAILED:
        reason = str(ERRORS.get(payload["error_code"], ""))
        text = _("%(state)s. %(reason)s") % {"state": text, "reason": reason}
        return toast | {"level": "danger", "text": text}
    if payload["status"] == Status.SUCCESSFUL:
        return toast | {"level": "success", "text": text}
    return None


def _url(payload: dict[str, Any]) -> str:
    return reverse("imports:task-detail", args=[payload["task"]])
