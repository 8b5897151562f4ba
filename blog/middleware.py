"""Middleware for the user's language, time zone and last visit, and for 405 pages."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers, patch_cache_control

from .models import User, time_zones, touch

# Browsers must not store these pages: they show e-mail addresses, codes, sessions and messages.
PRIVATE_PATHS = (
    "/accounts/",
    "/settings/",
    "/messages/",
    "/notifications/",
    "/exports/",
    "/imports/",
    "/reports/",
    "/admin/",
)
# Responses that are the same for everyone, and the API, which authenticates by token.
SESSIONLESS_PATHS = re.compile(r"/avatars/|/api/v1/|.*/feed/$")
POLLING_URL_NAMES = {"notification-poll", "conversation-poll"}


class UserMiddleware:
    """Language, time zone and cache headers of the user's pages, and the time of the last visit."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSIONLESS_PATHS.match(request.path_info):
            return self.get_response(request)
        if request.user.is_authenticated and request.user.language in dict(settings.LANGUAGES):
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language()
        with timezone.override(time_zone_of(request)):
            response = self.get_response(request)
        if request.path.startswith(PRIVATE_PATHS):
            add_never_cache_headers(response)
        elif request.user.is_authenticated:
            patch_cache_control(response, private=True)
        if request.user.is_authenticated and is_user_activity(request):
            rows = User.objects.filter(pk=request.user.pk)
            touch(rows, "last_seen_at", request.user.last_seen_at)
        return response


class MethodNotAllowedMiddleware:
    """Error page for 405 responses to browsers; programs get the empty response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_empty = response.status_code == 405 and not response.content
        is_page = request.accepts("text/html") and not SESSIONLESS_PATHS.match(request.path_info)
        if is_empty and is_page:
            response.content = render_to_string("405.html", request=request)
        return response


def is_user_activity(request: HttpRequest) -> bool:
    is_poll = (
        "X-Poll" in request.headers
        or getattr(request.resolver_match, "url_name", "") in POLLING_URL_NAMES
    )
    return request.user.is_authenticated and not is_poll


def time_zone_of(request: HttpRequest) -> str | None:
    """Return the user's time zone, else that of the browser (cookie of time-zone.js), else None."""
    chosen = request.user.time_zone if request.user.is_authenticated else ""
    name = chosen or unquote(request.COOKIES.get("zone", ""))
    return name if name in time_zones() else None
