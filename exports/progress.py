"""What a person sees of an export while it goes on, from the facts in its row or its notification."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .archive.kinds import KINDS
from .models import ErrorCode, MailStatus, Status
from .models.task import MAX_CRASHES

ALMOST = 99  # per cent: the most that is shown before the mail is out


def describe(facts: dict[str, Any]) -> dict[str, Any]:
    """The words of one export in the active language, JSON-ready; `facts` are those of `ExportTask.facts()`."""
    status = Status(facts["status"])
    toast = _toast(facts, status)
    return {
        "task": facts["task"],
        "title": _title(facts),
        "url": reverse("exports:task-detail", args=[facts["task"]]),
        "active": toast is None and status != Status.CANCELLED,
        "value": percent(status, facts["rows_done"], facts["rows_total"]),
        "max": 100,
        "text": _state(facts, status),
        "label": count(facts["rows_done"], facts["rows_total"], facts["kind"]),
        "toast": toast,
    }


def percent(status: str, rows_done: int, rows_total: int) -> int:
    """How full the bar is, 0 to 99: what is done when everything is mailed has no bar."""
    if status == Status.SUCCESSFUL:
        return ALMOST
    return min(ALMOST, 100 * rows_done // rows_total) if rows_total else 0


def count(rows_done: int, rows_total: int, kind: str) -> str:
    """ "1,200 of 5,000 posts", or whatever such an archive consists of."""
    return KINDS[kind].progress_text(rows_done, rows_total)


def _title(facts: dict[str, Any]) -> str:
    return str(KINDS[facts["kind"]].texts.title)


def _state(facts: dict[str, Any], status: Status) -> str:
    if status == Status.READY and facts.get("paused"):
        return _(
            "Paused: nothing is being built at the moment. Your request is kept, and goes on by itself"
        )
    if facts["crashes"] and status in (Status.READY, Status.RUNNING):
        numbers = {"try": facts["crashes"] + 1, "tries": MAX_CRASHES}
        return _("Interrupted; trying again (%(try)d of %(tries)d)") % numbers
    return {
        Status.READY: _waiting(facts),
        Status.RUNNING: _("Your archive is being built"),
        Status.SUCCESSFUL: _ended(facts),
        Status.FAILED: _("Your archive could not be built"),
        Status.CANCELLED: _("Cancelled"),
    }[status]


def _waiting(facts: dict[str, Any]) -> str:
    place = facts.get("place")
    if place is None:
        return _("Your archive is waiting for its turn")
    if facts["wait"] is None:
        return _("Number %(place)s in line") % {"place": place}
    return _("Number %(place)s in line, ready in %(time)s") % {
        "place": place,
        "time": minutes(*facts["wait"]),
    }


def minutes(least: int, most: int) -> str:
    """A range of minutes in words; from 0 to 1 is less than one."""
    if least < 1 and most <= 1:
        return _("less than a minute")
    if least < 1:
        return ngettext("at most %(n)d minute", "at most %(n)d minutes", most) % {"n": most}
    if least == most:
        return ngettext("about %(n)d minute", "about %(n)d minutes", most) % {"n": most}
    return _("about %(least)d to %(most)d minutes") % {"least": least, "most": most}


def _ended(facts: dict[str, Any]) -> str:
    if facts.get("bounced"):
        return _("Your mail provider refused the mail: download it here")
    if facts["mail"] == MailStatus.SENT:
        return _("Your archive is in your mailbox")
    if facts["mail"] == MailStatus.GAVE_UP:
        return _("Your archive is ready, but could not be mailed: download it here")
    return _("Your archive is ready. The e-mail is on its way")


def _toast(facts: dict[str, Any], status: Status) -> dict[str, str] | None:
    """The last word on an export, once there is nothing more to wait for."""
    last = {"title": _title(facts), "url": reverse("exports:task-detail", args=[facts["task"]])}
    if status == Status.FAILED:
        reason = ErrorCode(facts["error_code"]).label
        text = _("%(state)s. %(reason)s") % {"state": _state(facts, status), "reason": reason}
        return last | {"level": "danger", "text": text}
    if (
        status == Status.SUCCESSFUL
        and facts["mail"] == MailStatus.SENT
        and not facts.get("bounced")
    ):
        return last | {"level": "success", "text": _ended(facts)}
    if status == Status.SUCCESSFUL and facts["mail"] in (MailStatus.SENT, MailStatus.GAVE_UP):
        return last | {"level": "warning", "text": _ended(facts)}
    return None
