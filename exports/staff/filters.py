"""Filters of the export list."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from exports.archive.kinds import KINDS
from exports.models import ErrorCode, ExportMail, ExportTask, MailStatus

Lookups = list[tuple[str, StrOrPromise]]

AGES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


class KindFilter(admin.SimpleListFilter):
    """Filter by kind; Django's own would scan all rows for the kinds that exist."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        return [(name, kind.texts.label) for name, kind in KINDS.items()]

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
            return _with_mail(tasks, status=MailStatus.GAVE_UP)
        if value == "late":
            return _with_mail(tasks, status=MailStatus.PENDING, tries__gt=0)
        if value == "bounced":
            return _with_mail(tasks, bounced_at__isnull=False)
        return tasks.filter(error_code=value.upper()) if value.upper() in ErrorCode else tasks


def _with_mail(tasks: QuerySet[ExportTask], **condition: Any) -> QuerySet[ExportTask]:
    return tasks.filter(pk__in=ExportMail.objects.filter(**condition).values("task"))


class AgeFilter(admin.SimpleListFilter):
    title = _("age")
    parameter_name = "age"

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
            return tasks.filter(created_at__lt=timezone.now() - AGES["week"])
        if value in AGES:
            return tasks.filter(created_at__gte=timezone.now() - AGES[value])
        return tasks
