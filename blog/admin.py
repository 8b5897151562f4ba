"""People, posts and reports, for staff."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from allauth.account.adapter import get_adapter
from allauth.account.admin import EmailAddress
from allauth.mfa.admin import Authenticator
from allauth.mfa.base.internal.flows import delete_and_cleanup
from allauth.usersessions.admin import UserSession
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from . import moderation
from .accounts.deletion import delete_account
from .forms import HidePostForm, UserAdminChangeForm, UserAdminCreationForm, PostAdminForm
from .http import AuthenticatedRequest
from .models import Follow, Post, Report, User

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class Decision(NamedTuple):
    """What staff can do about a row, asked once on a page that says what follows from it."""

    label: "_StrPromise"
    effect: "_StrPromise"
    done: "_StrPromise"
    carry_out: Callable[[Any, User, dict[str, Any]], None]
    """With the row, who decides, and what the form says."""
    is_open: Callable[[Any, User], bool]
    form: type[Form] = Form
    initial: Callable[[Any], dict[str, Any]] = lambda _row: {}


class Moderated(admin.ModelAdmin[Any]):
    """Rows with decisions, for staff who may change reports."""

    decisions: dict[str, Decision]
    change_form_template = "admin/decision_form.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.decide)
        name = f"{self.opts.app_label}_{self.opts.model_name}_decide"
        return [path("<int:pk>/decide/<slug:decision>/", view, name=name), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title} | (extra_context or {}))

    def url(self, page: str, *args: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=args)

    def open_decisions(self, staff: Any, row: Any) -> dict[str, Decision]:
        """Those that these staff can take about the row, as it now is."""
        if row is None or not staff.has_perm("blog.change_report"):
            return {}
        return {
            name: decision
            for name, decision in self.decisions.items()
            if decision.is_open(row, staff)
        }

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: Any = kwargs.get("obj")
        decisions = self.open_decisions(request.user, row).items()
        context["decisions"] = [
            (self.url("decide", row.pk, name), decision.label) for name, decision in decisions
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    def decide(self, request: AuthenticatedRequest, pk: int, decision: str) -> HttpResponse:
        """Asks once; the answer is a POST. What somebody else decided meanwhile is said, and left as it is."""
        row = self.get_object(request, str(pk))
        if row is None or decision not in self.decisions:
            raise Http404
        if not (
            request.user.has_perm("blog.change_report") and self.has_view_permission(request, row)
        ):
            raise PermissionDenied
        page = self.url("change", pk)
        chosen = self.open_decisions(request.user, row).get(decision)
        if chosen is None:
            self.message_user(
                request, _("This cannot be done, or is done already."), messages.WARNING
            )
            return redirect(page)
        form = chosen.form(
            request.POST if request.method == "POST" else None, initial=chosen.initial(row)
        )
        if request.method == "POST" and form.is_valid():
            chosen.carry_out(row, request.user, form.cleaned_data)
            self.message_user(request, chosen.done, messages.SUCCESS)
            return redirect(page)
        context = self.admin_site.each_context(request) | {
            "title": chosen.label,
            "opts": self.opts,
            "original": row,
            "decision": chosen,
            "form": form,
            "page": page,
        }
        return render(
            request,
            "admin/decision_confirmation.html",
            context,
            status=422 if form.is_bound else 200,
        )


HIDE = Decision(
    _("Hide the post"),
    _(
        "Nobody but its author sees the post any more. They are told the reason. All reports of it are closed."
    ),
    _("The post is hidden."),
    lambda post, staff, said: moderation.hide(post, staff, said["reason"]),
    lambda post, _staff: post is not None,
    HidePostForm,
    lambda post: {"reason": post.hidden_reason},
)
DEACTIVATE = Decision(
    _("Deactivate the account"),
    _(
        "The account is closed, and its sessions end. Nobody sees the person or their posts any more. All reports about"
        " them are closed."
    ),
    _("The account is deactivated."),
    lambda person, staff, _said: moderation.deactivate(person, staff),
    lambda person, staff: person.is_active and moderation.may_close(person, staff),
)


def _about(decision: Decision, field: str) -> Decision:
    """The decision taken about what a field of the row leads to."""
    return decision._replace(
        carry_out=lambda row, staff, said: decision.carry_out(getattr(row, field), staff, said),
        is_open=lambda row, staff: decision.is_open(getattr(row, field), staff),
        initial=lambda row: decision.initial(getattr(row, field)),
    )


@admin.register(User)
class PersonAdmin(Moderated, UserAdmin[User]):
    decisions = {
        "deactivate": DEACTIVATE,
        "reactivate": Decision(
            _("Reactivate the account"),
            _("The person can sign in again, and they and their posts are seen again."),
            _("The account is active again."),
            lambda person, staff, _said: moderation.reactivate(person, staff),
            lambda person, staff: not person.is_active and moderation.may_close(person, staff),
        ),
    }
    form = UserAdminChangeForm
    add_form = UserAdminCreationForm
    list_display = ["username", "email", "is_active", "is_staff", "date_joined", "last_seen_at"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups"]
    search_fields = ["username", "email"]
    ordering = ["username"]
    readonly_fields = ["is_active", "date_joined", "last_login", "last_seen_at"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": ["email", "about_me", "language", "time_zone"]}),
        (
            _("Rights"),
            {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        (_("Dates"), {"fields": ["date_joined", "last_login", "last_seen_at"]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": ["username", "email", "usable_password", "password1", "password2"],
                "description": _(
                    "The address counts as confirmed: enter one that you know to be theirs."
                ),
            },
        )
    ]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save, and let an address that staff entered replace whatever was confirmed before."""
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if "email" in form.changed_data:
                obj.confirm_email()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Whoever may delete a person may delete what is theirs, also what nobody may delete by itself."""
        to_delete, counts, _perms_needed, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        delete_account(obj, by_staff=True)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            for person in queryset:
                delete_account(person, by_staff=True)


@admin.register(Post)
class PostAdmin(Moderated):
    decisions = {
        "hide": HIDE,
        "unhide": Decision(
            _("Show the post again"),
            _("Everyone sees the post again, and its author is told so."),
            _("The post is shown again."),
            lambda post, staff, _said: moderation.unhide(post, staff),
            lambda post, _staff: post.hidden_at is not None,
        ),
    }
    form = PostAdminForm
    list_display = ["__str__", "author", "created_at", "hidden_at"]
    list_filter = [("hidden_at", admin.EmptyFieldListFilter)]
    list_select_related = ["author"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["body", "author__username"]
    search_help_text = _("Words of the post, or the author's name")
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    raw_id_fields = ["author"]
    readonly_fields = ["created_at", "edited_at", "hidden_at", "hidden_by", "hidden_reason"]


@admin.register(Follow)
class FollowAdmin(admin.ModelAdmin[Follow]):
    list_display = ["follower", "followed", "created_at"]
    list_select_related = ["follower", "followed"]
    show_full_result_count = False
    search_fields = ["follower__username", "followed__username"]
    ordering = ["-id"]
    raw_id_fields = ["follower", "followed"]
    readonly_fields = ["created_at"]


class SecondFactorAdmin(admin.ModelAdmin[Authenticator]):
    """Whether people have one, not its secret; it is taken off for whoever lost it, and they are told."""

    list_display = ["user", "created_at", "last_used_at"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]
    show_full_result_count = False
    ordering = ["-id"]
    fields = ["user", "created_at", "last_used_at"]
    readonly_fields = ["user", "created_at", "last_used_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Authenticator]:
        """Without the recovery codes, which go with it."""
        factors: QuerySet[Authenticator] = super().get_queryset(request)
        return factors.exclude(type=Authenticator.Type.RECOVERY_CODES)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        delete_and_cleanup(request, obj)
        get_adapter(request).send_notification_mail("mfa/email/totp_deactivated", obj.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Authenticator]) -> None:
        with transaction.atomic():
            for authenticator in queryset:
                self.delete_model(request, authenticator)


# As they come, these show and take secrets of second factors, keys of sessions, and addresses that nobody confirmed.
admin.site.unregister([Authenticator, EmailAddress, UserSession])
admin.site.register(Authenticator, SecondFactorAdmin)


OTHERS = 20  # reports about the same person, beside one of them


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Open")), ("handled", _("Handled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        chosen = self.value()
        return queryset.filter(handled_at__isnull=chosen == "open") if chosen else queryset


def _number(field: str) -> Subquery:
    """How many reports lead to what the field of the outer query leads to."""
    like = Report.objects.filter(**{field: OuterRef(field)}).order_by().values(field)
    return Subquery(like.values(number=Count("pk")))


@admin.register(Report)
class ReportAdmin(Moderated):
    """The queue: what waits longest comes first, what is closed after all of it."""

    decisions = {
        "dismiss": Decision(
            _("Dismiss"),
            _(
                "All open reports of the same are closed as unfounded. Whoever reported it is told so in a general way."
            ),
            _("The report is dismissed."),
            lambda report, staff, _said: moderation.dismiss(report, staff),
            lambda report, _staff: report.handled_at is None,
        ),
        "hide": _about(HIDE, "post"),
        "deactivate": _about(DEACTIVATE, "person"),
    }
    list_display = [
        "__str__",
        "about",
        "reporter",
        "created_at",
        "of_the_post",
        "of_the_person",
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
        (_("What it is about"), {"fields": ["person_now", "excerpt", "post_now", "earlier"]}),
        (_("What came of it"), {"fields": ["handled_at", "handled_by", "outcome"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        reports: QuerySet[Report] = super().get_queryset(request)
        return reports.annotate(posts_reports=_number("post"), persons_reports=_number("person"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("about"))
    def about(self, report: Report) -> str:
        return report.excerpt or report.person.username

    @admin.display(description=_("reports of the post"))
    def of_the_post(self, report: Any) -> str:
        return str(report.posts_reports or "–")

    @admin.display(description=_("reports of the person"))
    def of_the_person(self, report: Any) -> str:
        return str(report.persons_reports)

    @admin.display(description=_("reported person"))
    def person_now(self, report: Report) -> SafeString:
        state = _("active") if report.person.is_active else _("deactivated")
        url = reverse("admin:blog_user_change", args=[report.person_id])
        return format_html('<a href="{}">{}</a> ({})', url, report.person, state)

    @admin.display(description=_("the post now"))
    def post_now(self, report: Report) -> SafeString | str:
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
    def earlier(self, report: Report) -> SafeString | str:
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
            for other in others[:OTHERS]
        )
        return format_html_join(SafeString("<br>"), '<a href="{}">{} {}</a> ({}) {}', rows) or "–"
