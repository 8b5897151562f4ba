"""django-rq's dashboard behind a permission of its own; by default it checks `is_staff` only."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern
from django.utils.http import url_has_allowed_host_and_scheme
from django_rq.admin import QueueAdmin
from redis.exceptions import RedisError

from microblog.http import is_same_site

from .permissions import DASHBOARD

# These views also accept a bearer token.
TOKEN_VIEWS = ("django_rq_home_json", "django_rq_metrics")

# Views that need a table or a package that does not exist here, so most would answer with 500.
REMOVED_VIEWS = (
    "_dashboard_add",
    "_dashboard_change",
    "_dashboard_delete",
    "_dashboard_history",
    "_scheduler_jobs",
    "_cron_scheduler_detail",
    "_cron_job_detail",
)

View = Callable[..., HttpResponse]


class GuardedQueueAdmin(QueueAdmin):
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(DASHBOARD)

    has_module_permission = has_view_permission

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(DASHBOARD)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return _guard(super().changelist_view)(request, extra_context)

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()  # type: ignore[no-untyped-call]
        urls = [url for url in urls if url.name and not url.name.endswith(REMOVED_VIEWS)]
        for url in urls:
            name = url.name or ""
            if name in TOKEN_VIEWS:
                url.callback = _guard(self._guard_session(url.callback))
            elif name.startswith("django_rq_"):
                url.callback = _guard(url.callback)
        return urls

    def _guard_session(self, view: View) -> View:
        """Require MFA for the token views, too.

        They accept any staff session instead of the token.
        """

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_staff and not self.admin_site.has_permission(request):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded


def _guard(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # The admin sends users who are not staff to the sign-in page.
        if request.user.is_staff and not request.user.has_perm(DASHBOARD):
            raise PermissionDenied
        _prevent_open_redirect(request)
        try:
            return view(request, *args, **kwargs)
        except RedisError:
            return render(request, "503.html", status=503)

    return guarded


def _prevent_open_redirect(request: HttpRequest) -> None:
    """Reject or remove foreign URLs: django-rq redirects to `next_url` or to the referrer."""
    if not is_same_site(request, request.POST.get("next_url", "/")):
        raise BadRequest
    if not url_has_allowed_host_and_scheme(
        request.headers.get("Referer", "/"), {request.get_host()}
    ):
        del request.META["HTTP_REFERER"]
