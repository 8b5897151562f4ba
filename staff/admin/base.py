"""Helpers shared by the admin pages of tasks and of mails."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django_stubs_ext import StrOrPromise

from tasks.models import Mail, Task

from ..kinds import kind_title, row_title, row_url

Details = list[tuple[StrOrPromise, Any]]
"""Labels and values."""


class ReadOnlyMixin:
    """Admin mixin that forbids adding, changing and deleting rows."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnlyMixin, admin.ModelAdmin[Any]):
    """Admin of tasks and mails, which nobody edits by hand."""

    list_per_page = list_max_show_all = 50
    ordering = ("-created_at",)
    show_full_result_count = False
    view_on_site = False  # staff cannot open the owner's page

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow the offered filters only.

        Django allows any field of the model, so that hidden texts could be guessed letter by
        letter (`?text__startswith=`).
        """
        offered = {getattr(each, "parameter_name", each) for each in self.list_filter}
        return lookup.partition("__")[0] in offered

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": kind_title(self.model)} | (extra_context or {})
        return super().changelist_view(request, context)


def link(row: Task | Mail) -> SafeString | str:
    """Return a link to the row's page, or its title alone if the row's kind has no pages."""
    try:
        return format_html('<a href="{}">{}</a>', row_url(row), row_title(row))
    except NoReverseMatch:
        return row_title(row)


def format_time(moment: datetime | None) -> str:
    """Format with seconds, which the admin omits."""
    return f"{date_format(localtime(moment))}, {localtime(moment):%H:%M:%S}" if moment else ""


def parse_id(text: str) -> UUID | None:
    """Return the UUID that is the whole text, or the beginning of a Message-ID."""
    try:
        return UUID(text.strip().lstrip("<").partition("@")[0])
    except ValueError:
        return None
