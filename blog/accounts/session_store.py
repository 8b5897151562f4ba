"""Sessions whose rows in the database, or in a backup, do not open an account."""

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import get_random_string

SECRET_LENGTH = 32  # 165 bits
KEY_LENGTH = 40  # characters of the column


class SessionStore(db.SessionStore):
    """Session in the database. Its key is a hash of the secret in the browser's cookie.

    The secret is known only if the session is new or comes from a cookie.
    """

    secret: str | None = None

    @classmethod
    def from_cookie(cls, secret: str | None) -> "SessionStore":
        store = cls(hash_secret(secret) if secret else None)
        store.secret = secret
        return store

    def _get_new_session_key(self) -> str:
        self.secret = get_random_string(SECRET_LENGTH, VALID_KEY_CHARS)
        return hash_secret(self.secret)

    async def _aget_new_session_key(self) -> str:
        return self._get_new_session_key()


class SessionMiddleware(DjangoSessionMiddleware):
    """Django's middleware, which would put the key into the cookie, with the secret instead."""

    def process_request(self, request: HttpRequest) -> None:
        secret = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        request.session = SessionStore.from_cookie(secret)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
        session: Any = request.session
        if cookie and cookie.value == session.session_key:
            cookie.set(cookie.key, session.secret, session.secret)
        return response


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:KEY_LENGTH]
