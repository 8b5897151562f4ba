"""What the site knows about whoever is signed in, on every request."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import unquote

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers, patch_cache_control

from .models import User, time_zones

# No browser keeps these pages: they show addresses, codes, sessions, and what people write to one another or to staff.
PRIVATE = (
    "/accounts/",
    "/settings/",
    "/messages/",
    "/notifications/",
    "/exports/",
    "/reports/",
    "/admin/",
)
# No session is read for what is the same for everyone, nor for the API, which has its own way of knowing people.
SESSIONLESS_PATHS = re.compile(r"/avatars/|/api/v1/|.*/feed/$")
POLLS = {"notifications", "conversation-poll"}
LAST_SEEN_INTERVAL = timedelta(minutes=1)


class UserMiddleware:
    """Speaks the person's language, keeps their time, and notes when they were last here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSIONLESS_PATHS.match(request.path_info):
            return self.get_response(request)
        if request.user.is_authenticated and request.user.language in dict(settings.LANGUAGES):
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language()
        with timezone.override(zone_of(request)):
            response = self.get_response(request)
        if request.path.startswith(PRIVATE):
            add_never_cache_headers(response)
        elif request.user.is_authenticated:
            patch_cache_control(response, private=True)
        if is_user_activity(request):
            note_seen(request.user)
        return response


class MethodNotAllowedMiddleware:
    """Gives a page to the bare 405 of an address that takes another method; that of a program stays bare."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_bare = response.status_code == 405 and not response.content
        if is_bare and request.accepts("text/html") and not SESSIONLESS_PATHS.match(request.path_info):
            response.content = render_to_string("405.html", request=request)
        return response


def is_here(request: HttpRequest) -> bool:
    """Whether somebody who is signed in asks: a page that is merely open polls for ever, which is not them."""
    is_poll = (
        "X-Poll" in request.headers or getattr(request.resolver_match, "url_name", "") in POLLS
    )
    return request.user.is_authenticated and not is_poll


def zone_of(request: HttpRequest) -> str | None:
    """The person's own time zone, else the browser's, which zone.js left in a cookie; None where neither is known."""
    chosen = request.user.time_zone if request.user.is_authenticated else ""
    name = chosen or unquote(request.COOKIES.get("zone", ""))
    return name if name in time_zones() else None


def note_seen(user: User | AnonymousUser) -> None:
    """Write `last_seen_at`, at most once a minute. Looked at in Python first: on SQLite even an idle UPDATE locks."""
    now = timezone.now()
    stale = now - LAST_SEEN_INTERVAL
    if isinstance(user, AnonymousUser) or (user.last_seen_at and user.last_seen_at > stale):
        return
    not_lately = Q(last_seen_at=None) | Q(last_seen_at__lte=stale)
    User.objects.filter(not_lately, pk=user.pk).update(last_seen_at=now)
