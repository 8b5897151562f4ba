"""Admin site with MFA, and with the overview, diagnosis and self-test pages."""

from collections.abc import Callable
from functools import partial
from typing import Any
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

from blog.http import AuthenticatedRequest, is_same_site
from exports import sweeper
from exports.models import SelfTest
from exports.models.self_test import STEPS

from . import diagnosis, overview, queue, second_factor, self_test
from .permissions import OPERATE, VIEW


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

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = {}
        if request.user.has_perm(VIEW):
            context = overview.build_overview(queue.read_state())
            context["is_sweeper_silent"] = diagnosis.is_sweeper_silent()
        return super().index(request, context | (extra_context or {}))

    def diagnosis(self, request: AuthenticatedRequest) -> HttpResponse:
        _require_permission(request, VIEW)
        if request.method == "POST":
            return self._apply_fix(request)
        findings = [
            (finding, request.user.has_perm(finding.fix.permission))
            for finding in diagnosis.find_all(queue.read_state())
        ]
        return self._render(
            request, "admin/diagnosis.html", title=_("Why is it stuck?"), findings=findings
        )

    def _apply_fix(self, request: AuthenticatedRequest) -> HttpResponse:
        _require_permission(request, OPERATE)
        name, target = request.POST.get("fix", ""), request.POST.get("target", "")
        fixes: dict[str, Callable[[], object]] = {
            "sweep": sweeper.sweep,
            "resume": queue.resume,
            "remove-job": partial(queue.remove_job, target),
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
        _require_permission(request, OPERATE)
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
        _require_permission(request, OPERATE)
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


def _require_permission(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
