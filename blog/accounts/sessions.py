"""Maximum age and idle time of sessions."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from ..middleware import SESSIONLESS_PATHS, is_user_activity
from ..models import GuessRecord, User, touch
from .allauth_internals import record_authentication

# Keys in the session; both values are seconds since 1970.
SIGNED_IN_AT_KEY = "begun_at"
LAST_USED_AT_KEY = "used_at"
BATCH_SIZE = 500  # rows per DELETE: on SQLite it blocks all other writers


def record_sign_in(request: HttpRequest, **kwargs: Any) -> None:
    """Record the time of a sign-in. Receiver of `user_logged_in`."""
    request.session[SIGNED_IN_AT_KEY] = request.session[LAST_USED_AT_KEY] = int(time.time())


def verify_staff_after_setup(
    sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    """Mark the session as verified: the user has just entered a code to set up TOTP.

    Receiver of `authenticator_added`. Staff would otherwise have to enter the next code at once.
    """
    if user.is_staff and authenticator.type == Authenticator.Type.TOTP:
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)
        link = format_html('<a href="{}">{}</a>', reverse("admin:index"), _("go on to the admin"))
        messages.info(
            request, format_html(_("Keep your recovery codes in a safe place, then {}."), link)
        )


class SessionLimitMiddleware:
    """Middleware that ends sessions by age and idle time. Django only limits the cookie's age."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSIONLESS_PATHS.match(request.path_info):
            return self.get_response(request)
        if request.user.is_authenticated and is_expired(request.session):
            logout(request)
        response = self.get_response(request)
        if is_user_activity(request):
            touch_session(request)
        return response


def is_expired(session: SessionBase) -> bool:
    now = time.time()
    max_idle_seconds = (
        settings.SESSION_IDLE_SECONDS
        if session.get_expire_at_browser_close()
        else settings.SESSION_COOKIE_AGE
    )
    is_idle: bool = now - session.get(LAST_USED_AT_KEY, 0) > max_idle_seconds
    is_old: bool = now - session.get(SIGNED_IN_AT_KEY, 0) > settings.MAX_SESSION_SECONDS
    return is_idle or is_old


def touch_session(request: HttpRequest) -> None:
    """Extend the session and its cookie, and update `last_seen_at`, which account archives contain.

    Both are writes, so they happen at most once a minute.
    """
    rows = UserSession.objects.filter(session_key=request.session.session_key)
    last = datetime.fromtimestamp(request.session.get(LAST_USED_AT_KEY, 0), UTC)
    if touch(rows, "last_seen_at", last):
        request.session[LAST_USED_AT_KEY] = int(time.time())


def delete_expired() -> None:
    """Delete expired sessions, UserSession rows whose session is gone, and expired guesses."""
    now = timezone.now()
    _delete_in_batches(Session.objects.filter(expire_date__lt=now))
    _delete_in_batches(GuessRecord.objects.expired())
    has_session = Exists(Session.objects.filter(pk=OuterRef("session_key")))
    # Race: allauth may insert the UserSession before Django saves the session, so spare new rows.
    _delete_in_batches(
        UserSession.objects.filter(~has_session, created_at__lt=now - timedelta(hours=1))
    )


def _delete_in_batches(rows: QuerySet[Model]) -> None:
    while keys := list(rows.values_list("pk", flat=True)[:BATCH_SIZE]):
        rows.filter(pk__in=keys).delete()
