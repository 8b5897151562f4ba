"""Admin pages of one kind of mail."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from tasks.models import MailStatus, Task

from .. import live_list
from ..filters import AgeFilter
from ..kinds import task_model_of
from .base import ReadOnlyAdmin, format_time, link, parse_id


class MailAdmin(ReadOnlyAdmin):
    """Pages of one kind of mail: how each fares; never its text or its recipient."""

    list_display = ("saved", "state", "about", "next_try", "sent", "last_error")
    list_display_links = ("saved",)
    list_filter = ("status", AgeFilter)
    search_fields = ("id",)
    search_help_text = _("An e-mail's id, or a Message-ID")
    # A whitelist, because Django's own choice would include the text.
    fields: ClassVar[tuple[str, ...]] = (
        "state",
        "about",
        "saved",
        "tries",
        "next_try",
        "sent",
        "last_error",
        "message_id",
        "job",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        mails = super().get_queryset(request)
        has_task = task_model_of(self.model) is not None
        return mails.select_related("task__owner") if has_task else mails

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        key = parse_id(search_term)
        if key is not None:
            return queryset.filter(pk=key), False
        return super().get_search_results(request, queryset, search_term)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def error_text(self, mail: Any) -> str:
        return str(mail.error)

    @admin.display(description=_("saved at"), ordering="created_at")
    def saved(self, mail: Any) -> str:
        return format_time(mail.created_at)

    @admin.display(description=_("status"), ordering="status")
    def state(self, mail: Any) -> str:
        return live_list.render_mail_status(mail)

    @admin.display(description=_("about"))
    def about(self, mail: Any) -> SafeString | str:
        task = getattr(mail, "task", None)
        return link(task) if isinstance(task, Task) else live_list.EMPTY

    @admin.display(description=_("next try"), ordering="next_try_at")
    def next_try(self, mail: Any) -> str:
        return format_time(mail.next_try_at) if mail.status == MailStatus.PENDING else ""

    @admin.display(description=_("sent at"), ordering="sent_at")
    def sent(self, mail: Any) -> str:
        return format_time(mail.sent_at)

    @admin.display(description=_("last error"))
    def last_error(self, mail: Any) -> str:
        return self.error_text(mail)

    @admin.display(description="Message-ID")
    def message_id(self, mail: Any) -> str:
        return str(mail.message_id)

    @admin.display(description=_("RQ job"))
    def job(self, mail: Any) -> str:
        return str(mail.job_id)
