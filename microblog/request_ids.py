"""Request ids: one id in the response, the log lines, the jobs and the mails of a request."""

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Return the id of this thread, or "" outside requests, jobs and rounds of the sweeper."""
    return _current.get()


def activate(request_id: object = None) -> str:
    """Set the id of this thread; generate one unless the given id is valid in a header."""
    is_valid = isinstance(request_id, str) and VALID_ID.fullmatch(request_id)
    _current.set(str(request_id) if is_valid else uuid.uuid4().hex)
    return current()


def deactivate() -> None:
    _current.set("")


def job_meta() -> dict[str, str]:
    return {"request_id": current()} if current() else {}


def mail_headers() -> dict[str, str]:
    return {HEADER: current()} if current() else {}


class RequestIdMiddleware:
    """Id for each request, taken from the proxy if there is one, and returned in the response.

    The id stays active after the response is returned, for log lines written while it is sent.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = activate(request.headers.get(HEADER) if settings.BEHIND_PROXY else None)
        response = self.get_response(request)
        response.headers[HEADER] = request_id
        return response
