"""Filters of the lists of tasks and mails."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from tasks.models import CoreError, MailStatus

from .kinds import mail_model_of

Lookups = list[tuple[str, StrOrPromise]]

AGES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


class FailureFilter(admin.SimpleListFilter):
    """Filter tasks by what went wrong with them, or with their mail if they have one."""

    title = _("failure")
    parameter_name = "failure"
    error_codes: dict[str, StrOrPromise] = {
        CoreError.CRASHED: _("Interrupted three times"),
        CoreError.TIMEOUT: _("Took too long"),
        CoreError.ERROR: _("Error in the work"),
    }
    mail_conditions: dict[str, tuple[StrOrPromise, dict[str, Any]]] = {
        "mail": (_("E-mail given up"), {"status": MailStatus.GAVE_UP}),
        "late": (_("E-mail delayed"), {"status": MailStatus.PENDING, "tries__gt": 0}),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Lookups:
        codes: Lookups = [(code.lower(), label) for code, label in self.error_codes.items()]
        if mail_model_of(model_admin.model) is None:
            return codes
        return codes + [(name, label) for name, (label, _condition) in self.mail_conditions.items()]

    def queryset(self, request: HttpRequest, tasks: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value.upper() in self.error_codes:
            return tasks.filter(error_code=value.upper())
        mails = mail_model_of(tasks.model)
        if value in self.mail_conditions and mails is not None:
            _label, condition = self.mail_conditions[value]
            return tasks.filter(pk__in=mails.objects.filter(**condition).values("task"))
        return tasks


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

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value == "older":
            return rows.filter(created_at__lt=timezone.now() - AGES["week"])
        if value in AGES:
            return rows.filter(created_at__gte=timezone.now() - AGES[value])
        return rows
