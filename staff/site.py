"""Admin site with MFA, and with the overview, diagnosis and self-test pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError

from microblog.http import AuthenticatedRequest, is_same_site
from tasks import broker, sweeper
from tasks.models import mail_models, task_models

from . import diagnosis, overview, second_factor, self_test
from .admin import MailAdmin, TaskAdmin
from .kinds import kind_title, page_url
from .models import STEPS, SelfTest
from .permissions import DASHBOARD, is_operator


class StaffSite(AdminSite):
    site_title = site_header = "Microblog"
    index_title = gettext_lazy("Staff desk")
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and second_factor.is_verified(request)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send staff through the site's own sign-in and the second factor."""
        url = request.GET.get("next", "")
        if not is_same_site(request, url):
            url = reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect_to_login(url, settings.LOGIN_URL)
        if not super().has_permission(request):
            raise PermissionDenied
        if second_factor.is_verified(request):
            return redirect(url)
        return second_factor.redirect_to_verification(request, url)

    def password_change(  # type: ignore[override]  # a redirect is no TemplateResponse
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("account_change_password")

    def get_urls(self) -> list[URLResolver | URLPattern]:
        return [
            path("diagnosis/", self.admin_view(self.diagnosis), name="diagnosis"),
            path("selftest/", self.admin_view(self.selftest), name="selftest"),
            path(
                "selftest/<uuid:pk>/", self.admin_view(self.selftest_detail), name="selftest-detail"
            ),
            *super().get_urls(),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | {"staff_nav": self._navigation(request)}

    def _navigation(self, request: HttpRequest) -> list[tuple[str, str]]:
        kinds = self._task_kinds(request)
        links = [(reverse("admin:index"), _("Staff desk"))]
        links += [(page_url(kind.model, "changelist"), kind_title(kind.model)) for kind in kinds]
        if kinds:
            links.append((reverse("admin:diagnosis"), _("Why is it stuck?")))
        if is_operator(request.user):
            links.append((reverse("admin:selftest"), _("Self-test")))
        if request.user.has_perm(DASHBOARD):
            links.append((reverse("admin:django_rq_home"), _("Queue")))
        return links

    def _task_kinds(self, request: HttpRequest) -> list[TaskAdmin]:
        kinds = [cast(TaskAdmin, self.get_model_admin(model)) for model in task_models()]
        return [kind for kind in kinds if kind.has_view_permission(request)]

    def _mail_kinds(self, request: HttpRequest) -> list[MailAdmin]:
        kinds = [cast(MailAdmin, self.get_model_admin(model)) for model in mail_models()]
        return [kind for kind in kinds if kind.has_view_permission(request)]

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = {}
        if kinds := self._task_kinds(request):
            context = overview.build_overview(broker.read_state(), kinds, self._mail_kinds(request))
            context["is_sweeper_silent"] = diagnosis.is_sweeper_silent()
        return super().index(request, context | (extra_context or {}))

    def diagnosis(self, request: AuthenticatedRequest) -> HttpResponse:
        kinds = self._task_kinds(request)
        _require(bool(kinds))
        if request.method == "POST":
            return self._apply_fix(request)
        findings = [
            (finding, _is_allowed(request, finding.fix))
            for finding in diagnosis.find_all(broker.read_state(), kinds, self._mail_kinds(request))
        ]
        return self._render(
            request, "admin/diagnosis.html", title=_("Why is it stuck?"), findings=findings
        )

    def _apply_fix(self, request: AuthenticatedRequest) -> HttpResponse:
        _require(is_operator(request.user))
        name, target = request.POST.get("fix", ""), request.POST.get("target", "")
        fixes: dict[str, Callable[[], object]] = {
            "sweep": sweeper.sweep,
            "resume": broker.resume_workers,
            "remove-job": partial(broker.remove_job, target),
        }
        if name not in fixes or (
            name == "remove-job" and not diagnosis.find_obsolete_jobs([target])
        ):
            raise Http404
        try:
            fixes[name]()
        except RedisError as error:
            messages.error(request, _("The broker does not answer: %s") % error)
        else:
            LogEntry.objects.create(
                user_id=request.user.pk,
                object_repr=target or name,
                action_flag=CHANGE,
                change_message=name,
            )
            messages.success(request, _("Done. What is still listed is as it was a moment ago."))
        return redirect("admin:diagnosis")

    def selftest(self, request: AuthenticatedRequest) -> HttpResponse:
        _require(is_operator(request.user))
        context: dict[str, Any] = {
            "title": _("Self-test"),
            "address": request.user.confirmed_email,
        }
        if request.method == "POST" and context["address"]:
            test = self_test.start(context["address"], request.user)
            if test.passed is None:
                return redirect("admin:selftest-detail", test.pk)
            return self._render(request, "admin/selftest.html", **context, test=test)
        tests = SelfTest.objects.select_related("actor").exclude(passed=None)[:10]
        return self._render(request, "admin/selftest.html", **context, tests=tests)

    def selftest_detail(self, request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
        _require(is_operator(request.user))
        test = SelfTest.objects.filter(pk=pk).first()
        if test is None:
            raise Http404
        self_test.update_verdict(test)
        return self._render(
            request,
            "admin/selftest.html",
            title=_("Self-test"),
            test=test,
            steps=STEPS,
            is_detail=True,
        )

    def _render(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        request.current_app = self.name
        return TemplateResponse(request, template, self.each_context(request) | context)


def _require(is_permitted: bool) -> None:
    if not is_permitted:
        raise PermissionDenied


def _is_allowed(request: HttpRequest, fix: diagnosis.Fix) -> bool:
    if fix.permission:
        return request.user.has_perm(fix.permission)
    return is_operator(request.user)
