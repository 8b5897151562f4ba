"""django-rq's dashboard behind its own permission: as it comes, it asks for `is_staff` only, also before it acts."""

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

from blog.http import is_same_site

from .permissions import DASHBOARD

# These answer to a bearer token, too.
TOKEN_VIEWS = ("django_rq_home_json", "django_rq_metrics")

# Pages of a table and of packages that there are not: the first five would answer with a 500.
ABSENT = (
    *(
        "_dashboard_add",
        "_dashboard_change",
        "_dashboard_delete",
        "_dashboard_history",
        "_scheduler_jobs",
    ),
    *("_cron_scheduler_detail", "_cron_job_detail"),
)


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
        return _guarded(super().changelist_view)(request, extra_context)

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()  # type: ignore[no-untyped-call]  # not annotated there
        urls = [url for url in urls if url.name and not url.name.endswith(ABSENT)]
        for url in urls:
            name = url.name or ""
            if name in TOKEN_VIEWS:
                url.callback = _guarded(self._for_tokens(url.callback))
            elif name.startswith("django_rq_"):
                url.callback = _guarded(url.callback)
        return urls

    def _for_tokens(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """django-rq takes any staff's session in the place of the token: ours has to be good for the desk."""

        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_staff and not self.admin_site.has_permission(request):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return checked


def _guarded(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Whoever is not staff goes on to the admin's own sign-in.
        if request.user.is_staff and not request.user.has_perm(DASHBOARD):
            raise PermissionDenied
        _keep_here(request)
        try:
            return view(request, *args, **kwargs)
        except RedisError:
            return render(request, "503.html", status=503)

    return guarded


def _keep_here(request: HttpRequest) -> None:
    """django-rq goes on to wherever the form says, or back to whoever led there."""
    if not is_same_site(request, request.POST.get("next_url", "/")):
        raise BadRequest
    if not url_has_allowed_host_and_scheme(
        request.headers.get("Referer", "/"), {request.get_host()}
    ):
        del request.META["HTTP_REFERER"]
