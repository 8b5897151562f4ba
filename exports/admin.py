"""Exports in the admin: what only they have, beside the pages of every task."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from blog.models import User
from staff.actions import CANCEL, RESCUE, Action, Followup
from staff.admin import Details, MailAdmin, TaskAdmin, format_time
from staff.diagnosis import MAX_FINDINGS, Finding, sweep_fix
from staff.filters import AgeFilter, FailureFilter, Lookups
from staff.kinds import page_url
from staff.live_list import LiveCells
from staff.overview import Fact
from tasks import jobs

from . import progress, requests
from .archive import build as archive
from .archive.kinds import KINDS
from .models import ErrorCode, ExportMail, ExportTask

# Actions


def is_resendable(task: ExportTask) -> bool:
    return task.is_resendable


def has_archive(task: ExportTask) -> bool:
    return bool(task.archive)


def can_be_requested_again(task: ExportTask) -> bool:
    return not task.is_unfinished and task.owner.is_active


def resend(task: ExportTask, actor: User) -> Followup | None:
    mail = task.resend(actor)
    return partial(jobs.enqueue_mail, mail) if mail else None


def expire(task: ExportTask, actor: User) -> Followup | None:
    name = str(task.archive.name)
    return partial(_discard_archive, name) if task.expire(actor) else None


def _discard_archive(name: str) -> bool:
    archive.discard(name)
    return True


def request_anew(task: ExportTask, actor: User) -> Followup | None:
    """Request a new export for the owner, without the cooldown."""
    if not task.owner.is_active:
        return None
    try:
        new_task, is_new = requests.create_task(task.owner, task.kind, task.language, actor)
    except requests.DiskFull:
        return None
    return partial(jobs.enqueue_task, new_task) if is_new else None


RESEND = Action(
    name="resend",
    codename="resend",
    label=_("Send the e-mail again"),
    explanation=_(
        "Another e-mail, with another Message-ID, goes to the address that the owner has "
        "confirmed by now."
    ),
    log_message="Sent the e-mail again.",
    is_available=is_resendable,
    perform=resend,
)
EXPIRE = Action(
    name="expire",
    label=_("Expire now"),
    explanation=_("The archive is deleted before its time. Its owner can ask for a new one."),
    log_message="Deleted the archive early.",
    is_available=has_archive,
    perform=expire,
)
REQUEST = Action(
    name="request",
    label=_("Request anew for the owner"),
    explanation=_(
        "A new export begins in the owner's name, without the pause between two. The "
        "e-mail goes to them alone."
    ),
    log_message="Requested a new export for the owner.",
    is_available=can_be_requested_again,
    perform=request_anew,
)


# Filters and cells


class KindFilter(admin.SimpleListFilter):
    """Filter by kind; Django's own would scan all rows for the kinds that exist."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [(name, kind.texts.label) for name, kind in KINDS.items()]

    def queryset(self, request: HttpRequest, tasks: QuerySet[ExportTask]) -> QuerySet[ExportTask]:
        return tasks.filter(kind=self.value()) if self.value() in KINDS else tasks


class ExportFailureFilter(FailureFilter):
    error_codes = FailureFilter.error_codes | {ErrorCode.DISK_FULL: _("No disk space")}
    mail_conditions = FailureFilter.mail_conditions | {
        "bounced": (_("E-mail refused by the provider"), {"bounced_at__isnull": False}),
    }


class ExportCells(LiveCells):
    def render_count(self, task: ExportTask) -> str:
        return progress.render_count(task.rows_done, task.rows_total, task.kind)

    def render_mail(self, mail: ExportMail) -> str:
        if mail.bounced_at:
            return gettext("Refused by the provider")
        return super().render_mail(mail)


@admin.register(ExportTask)
class ExportTaskAdmin(TaskAdmin):
    list_filter = ("status", KindFilter, ExportFailureFilter, AgeFilter)
    task_actions = (replace(CANCEL, codename="cancel"), RESEND, RESCUE, EXPIRE, REQUEST)
    cells = ExportCells()

    def extra_details(self, task: ExportTask) -> Details:
        """Describe the archive; never return the archive itself, which staff must not read."""
        size = filesizeformat(task.archive_bytes) if task.archive_bytes is not None else ""
        return [
            (_("kind"), KINDS[task.kind].texts.label),
            (_("size"), size),
            (_("kept until"), format_time(task.archive_expires_at)),
            ("SHA-256", task.archive_sha256),
        ]

    def extra_mail_details(self, mail: ExportMail) -> Details:
        details: Details = [(pgettext_lazy("e-mail", "with"), mail.get_purpose_display())]
        if mail.bounced_at:
            details += [
                (_("refused at"), format_time(mail.bounced_at)),
                (_("why it was refused"), mail.bounce_reason),
            ]
        return details

    def find_problems(self) -> Iterable[Finding]:
        for task in ExportTask.objects.expired().select_related("owner")[:MAX_FINDINGS]:
            text = gettext("The archive's time is over, and it is still there.")
            yield Finding(text=text, fix=sweep_fix(), row=task)

    def find_facts(self, now: datetime) -> Iterable[Fact]:
        bounced = ExportMail.objects.filter(
            created_at__gte=now - timedelta(days=7), bounced_at__isnull=False
        )
        yield Fact(
            label=_("E-mails refused by the provider, 7 days"),
            value=intcomma(bounced.count()),
            url=f"{page_url(ExportTask, 'changelist')}?failure=bounced",
        )
        kept = ExportTask.objects.exclude(archive="").aggregate(
            files=Count("pk"), size=Sum("archive_bytes")
        )
        yield Fact(
            label=_("Archives kept"),
            value=f"{intcomma(kept['files'])} ({filesizeformat(kept['size'] or 0)})",
        )


@admin.register(ExportMail)
class ExportMailAdmin(MailAdmin):
    search_fields = ("task__owner__username",)
    search_help_text = _("Owner's name, an e-mail's id, or a Message-ID")
    fields = (*MailAdmin.fields, "purpose", "bounced_at", "bounce_reason")
