"""Admin pages for reports."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from staff.admin.base import ReadOnlyMixin

from .. import moderation
from ..models import Report, User
from .decisions import DEACTIVATE, HIDE, Decision, ModeratedAdmin, about_related

MAX_OTHER_REPORTS = 20


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Open")), ("handled", _("Handled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        chosen = self.value()
        return queryset.filter(handled_at__isnull=chosen == "open") if chosen else queryset


def _count_reports(field: str) -> Subquery:
    """Return a subquery that counts all reports with the same value of `field`."""
    reports = Report.objects.filter(**{field: OuterRef(field)}).order_by().values(field)
    return Subquery(reports.values(count=Count("pk")))


def dismiss_report(report: Report, staff: User, form_data: dict[str, Any]) -> None:
    moderation.dismiss(report, staff)


def is_open(report: Report, staff: User) -> bool:
    return report.handled_at is None


DISMISS = Decision(
    label=_("Dismiss"),
    effect=_(
        "All open reports of the same are closed as unfounded. Whoever reported it is told so in a"
        " general way."
    ),
    success_message=_("The report is dismissed."),
    perform=dismiss_report,
    is_available=is_open,
)


@admin.register(Report)
class ReportAdmin(ReadOnlyMixin, ModeratedAdmin):
    """Report queue: open reports first, oldest first."""

    decisions = {
        "dismiss": DISMISS,
        "hide": about_related(HIDE, "post"),
        "deactivate": about_related(DEACTIVATE, "person"),
    }
    list_display = [
        "__str__",
        "subject",
        "reporter",
        "created_at",
        "post_reports",
        "user_reports",
        "outcome",
    ]
    list_filter = [StateFilter, "reason", "outcome"]
    list_select_related = ["reporter", "person", "post"]
    list_per_page = 50
    show_full_result_count = False
    view_on_site = False  # the reporter's page is for the reporter alone
    search_fields = ["person__username", "reporter__username"]
    ordering = [F("handled_at").desc(nulls_first=True), "created_at", "id"]
    fieldsets = [
        (None, {"fields": ["reporter", "reason", "comment", "created_at"]}),
        (_("What it is about"), {"fields": ["user_link", "excerpt", "post_link", "other_reports"]}),
        (_("What came of it"), {"fields": ["handled_at", "handled_by", "outcome"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        reports: QuerySet[Report] = super().get_queryset(request)
        return reports.annotate(
            post_report_count=_count_reports("post"), user_report_count=_count_reports("person")
        )

    @admin.display(description=_("about"))
    def subject(self, report: Report) -> str:
        return report.excerpt or report.person.username

    @admin.display(description=_("reports of the post"))
    def post_reports(self, report: Any) -> str:
        return str(report.post_report_count or "–")

    @admin.display(description=_("reports of the person"))
    def user_reports(self, report: Any) -> str:
        return str(report.user_report_count)

    @admin.display(description=_("reported person"))
    def user_link(self, report: Report) -> SafeString:
        state = _("active") if report.person.is_active else _("deactivated")
        url = reverse("admin:blog_user_change", args=[report.person_id])
        return format_html('<a href="{}">{}</a> ({})', url, report.person, state)

    @admin.display(description=_("the post now"))
    def post_link(self, report: Report) -> SafeString | str:
        if report.post is None:
            return str(_("Deleted")) if report.excerpt else "–"
        url = reverse("admin:blog_post_change", args=[report.post_id])
        state = (
            _("hidden: %(reason)s") % {"reason": report.post.hidden_reason}
            if report.post.hidden_at
            else _("shown")
        )
        return format_html('<a href="{}">{}</a> ({})', url, report.post.body, state)

    @admin.display(description=_("other reports about the person"))
    def other_reports(self, report: Report) -> SafeString | str:
        others = (
            Report.objects.filter(person=report.person_id)
            .exclude(pk=report.pk)
            .order_by("-created_at", "-pk")
        )
        rows = (
            (
                reverse("admin:blog_report_change", args=[other.pk]),
                date_format(localtime(other.created_at), "SHORT_DATE_FORMAT"),
                other.get_reason_display(),
                other.get_outcome_display() or _("open"),
                other.excerpt,
            )
            for other in others[:MAX_OTHER_REPORTS]
        )
        return format_html_join(SafeString("<br>"), '<a href="{}">{} {}</a> ({}) {}', rows) or "–"
