"""The admin as our own site: who is let in, and the pages about the whole of it."""

from collections.abc import Callable
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

from . import diagnosis as stuck
from . import overview as figures
from . import queue, second_factor, self_test
from .permissions import OPERATE, VIEW


class DeskSite(AdminSite):
    site_title = site_header = "Microblog"
    index_title = gettext_lazy("Staff desk")
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and second_factor.is_shown(request)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Staff sign in where everybody does."""
        url = _next_url(request)
        if not request.user.is_authenticated:
            return redirect_to_login(url, settings.LOGIN_URL)
        if not super().has_permission(request):
            raise PermissionDenied
        return redirect(url) if second_factor.is_shown(request) else second_factor.ask(request, url)

    def password_change(  # type: ignore[override]  # a redirect is no TemplateResponse
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("account_change_password")

    def get_urls(self) -> list[URLResolver | URLPattern]:
        return [
            path("stuck/", self.admin_view(self.stuck), name="stuck"),
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
            known = queue.read()
            context = figures.front_page(known) | {"is_sweeper_silent": stuck.is_sweeper_silent()}
        return super().index(request, context | (extra_context or {}))

    def stuck(self, request: AuthenticatedRequest) -> HttpResponse:
        _require(request, VIEW)
        if request.method == "POST":
            return self._remedy(request)
        found = [
            (mismatch, request.user.has_perm(mismatch.remedy.permission))
            for mismatch in stuck.find(queue.read())
        ]
        return self._page(request, "admin/stuck.html", title=_("Why is it stuck?"), found=found)

    def _remedy(self, request: AuthenticatedRequest) -> HttpResponse:
        _require(request, OPERATE)
        name, target = request.POST.get("remedy", ""), request.POST.get("target", "")
        remedies: dict[str, Callable[[], None]] = {
            "sweep": sweeper.sweep,
            "resume": queue.let_go_on,
            "withdraw": lambda: queue.withdraw(target),
        }
        if name not in remedies or (name == "withdraw" and not stuck.pointless([target])):
            raise Http404
        try:
            remedies[name]()
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
        return redirect("admin:stuck")

    def selftest(self, request: AuthenticatedRequest) -> HttpResponse:
        _require(request, OPERATE)
        address = request.user.confirmed_email
        if request.method == "POST" and address:
            test = self_test.begin(address, request.user)
            if test.passed is None:
                return redirect("admin:selftest-detail", test.pk)
            return self._page(
                request, "admin/selftest.html", title=_("Self-test"), test=test, address=address
            )
        last = SelfTest.objects.select_related("actor").exclude(passed=None)[:10]
        return self._page(
            request, "admin/selftest.html", title=_("Self-test"), tests=last, address=address
        )

    def selftest_detail(self, request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
        _require(request, OPERATE)
        test = SelfTest.objects.filter(pk=pk).first()
        if test is None:
            raise Http404
        self_test.judge(test)
        return self._page(
            request,
            "admin/selftest.html",
            title=_("Self-test"),
            test=test,
            steps=STEPS,
            is_shown=True,
        )

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        request.current_app = self.name
        return TemplateResponse(request, template, self.each_context(request) | context)


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _next_url(request: HttpRequest) -> str:
    """Where `?next=` leads, as long as that is on this site."""
    url = request.GET.get("next", "")
    return url if is_same_site(request, url) else reverse("admin:index")
