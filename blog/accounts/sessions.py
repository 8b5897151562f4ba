"""How long somebody stays signed in."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from ..middleware import IMPERSONAL, is_here

BEGUN = "begun_at"  # seconds since 1970, as is the next
USED = "used_at"
NOTED_EVERY = 600  # seconds: each note is a write
BATCH = 500  # rows that are removed at once: on SQLite every other writer waits for it


def begin(request: HttpRequest, **kwargs: Any) -> None:
    """Note when somebody signed in; a receiver of `user_logged_in`, which every way in sends."""
    request.session[BEGUN] = request.session[USED] = int(time.time())


class SessionLimitMiddleware:
    """Ends sessions that have lasted or lain idle for too long. Django's own end with the cookie's age alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if IMPERSONAL.match(request.path_info):
            return self.get_response(request)
        if request.user.is_authenticated and is_over(request.session):
            logout(request)
        response = self.get_response(request)
        if is_here(request):
            note_use(request)
        return response


def is_over(session: SessionBase) -> bool:
    now = time.time()
    idle = (
        settings.SESSION_IDLE_SECONDS
        if session.get_expire_at_browser_close()
        else settings.SESSION_COOKIE_AGE
    )
    is_idle: bool = now - session.get(USED, 0) > idle
    is_old: bool = now - session.get(BEGUN, 0) > settings.MAX_SESSION_SECONDS
    return is_idle or is_old


def note_use(request: HttpRequest) -> None:
    """Move the session's end, and the cookie's with it; its owner finds in their archive when it was used last."""
    now = int(time.time())
    if now - request.session.get(USED, 0) > NOTED_EVERY:
        request.session[USED] = now
        UserSession.objects.filter(session_key=request.session.session_key).update(
            last_seen_at=timezone.now()
        )


def remove_ended() -> None:
    """Remove the rows of sessions that have run out, and what is noted of those that are gone."""
    now = timezone.now()
    _remove(Session.objects.filter(expire_date__lt=now))
    is_there = Exists(Session.objects.filter(pk=OuterRef("session_key")))
    # Whoever signs in just now may not have theirs yet.
    _remove(UserSession.objects.filter(~is_there, created_at__lt=now - timedelta(hours=1)))


def _remove(rows: QuerySet[Model]) -> None:
    while keys := list(rows.values_list("pk", flat=True)[:BATCH]):
        rows.filter(pk__in=keys).delete()
