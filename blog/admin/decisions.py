"""Decisions of staff about a user, post or report, each with a confirmation page."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from microblog.http import AuthenticatedRequest

from .. import moderation
from ..forms import HidePostForm
from ..models import Post, User

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


def no_initial(row: Any) -> dict[str, Any]:
    return {}


class Decision(NamedTuple):
    label: "_StrPromise"
    effect: "_StrPromise"
    """Consequences, as the confirmation page explains them."""
    success_message: "_StrPromise"
    perform: Callable[[Any, User, dict[str, Any]], None]
    """Called with the row, the deciding staff user, and the form's cleaned data."""
    is_available: Callable[[Any, User], bool]
    """Called with the row and the staff user."""
    form: type[Form] = Form
    initial: Callable[[Any], dict[str, Any]] = no_initial


class ModeratedAdmin(admin.ModelAdmin[Any]):
    """Admin of rows with decisions, for staff with permission to change reports."""

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

    def available_decisions(self, staff: Any, row: Any) -> dict[str, Decision]:
        if row is None or not staff.has_perm("blog.change_report"):
            return {}
        return {
            name: decision
            for name, decision in self.decisions.items()
            if decision.is_available(row, staff)
        }

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: Any = kwargs.get("obj")
        decisions = self.available_decisions(request.user, row).items()
        context["decisions"] = [
            (self.url("decide", row.pk, name), decision.label) for name, decision in decisions
        ]
        return super().render_change_form(request, context, *args, **kwargs)

    def decide(self, request: AuthenticatedRequest, pk: int, decision: str) -> HttpResponse:
        """Ask for confirmation on GET, perform the decision on POST.

        Show a warning instead if the decision is no longer available.
        """
        row = self.get_object(request, str(pk))
        if row is None or decision not in self.decisions:
            raise Http404
        if not (
            request.user.has_perm("blog.change_report") and self.has_view_permission(request, row)
        ):
            raise PermissionDenied
        page = self.url("change", pk)
        chosen = self.available_decisions(request.user, row).get(decision)
        if chosen is None:
            self.message_user(
                request, _("This cannot be done, or is done already."), messages.WARNING
            )
            return redirect(page)
        form = chosen.form(
            request.POST if request.method == "POST" else None, initial=chosen.initial(row)
        )
        if request.method == "POST" and form.is_valid():
            chosen.perform(row, request.user, form.cleaned_data)
            self.message_user(request, chosen.success_message, messages.SUCCESS)
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


def about_related(decision: Decision, field: str) -> Decision:
    """Return the same decision for rows that refer to its subject by `field`."""

    def perform(row: Any, staff: User, form_data: dict[str, Any]) -> None:
        decision.perform(getattr(row, field), staff, form_data)

    def is_available(row: Any, staff: User) -> bool:
        return decision.is_available(getattr(row, field), staff)

    def initial(row: Any) -> dict[str, Any]:
        return decision.initial(getattr(row, field))

    return decision._replace(perform=perform, is_available=is_available, initial=initial)


def hide_post(post: Post, staff: User, form_data: dict[str, Any]) -> None:
    moderation.hide(post, staff, form_data["reason"])


def is_existing_post(post: Post | None, staff: User) -> bool:
    return post is not None  # the post of a report may have been deleted


def current_reason(post: Post) -> dict[str, Any]:
    return {"reason": post.hidden_reason}


HIDE = Decision(
    label=_("Hide the post"),
    effect=_(
        "Nobody but its author sees the post any more. They are told the reason. All reports of it"
        " are closed."
    ),
    success_message=_("The post is hidden."),
    perform=hide_post,
    is_available=is_existing_post,
    form=HidePostForm,
    initial=current_reason,
)


def deactivate_user(user: User, staff: User, form_data: dict[str, Any]) -> None:
    moderation.deactivate(user, staff)


def can_be_deactivated(user: User, staff: User) -> bool:
    return user.is_active and moderation.can_deactivate(user, staff)


DEACTIVATE = Decision(
    label=_("Deactivate the account"),
    effect=_(
        "The account is closed, and its sessions end. Nobody sees the person or their posts any"
        " more. All reports about them are closed."
    ),
    success_message=_("The account is deactivated."),
    perform=deactivate_user,
    is_available=can_be_deactivated,
)
