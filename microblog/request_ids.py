"""One name for all that a request sets off: in the answer, every log line, the jobs and the mails."""

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
SOUND = re.compile(r"[A-Za-z0-9._-]{1,64}")

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The id that this thread works under; empty outside of requests, jobs and rounds of the sweeper."""
    return _current.get()


def begin(request_id: object = None) -> str:
    """Work under that id from now on, or under a new one where it is none that could stand in a header."""
    sound = isinstance(request_id, str) and SOUND.fullmatch(request_id)
    _current.set(str(request_id) if sound else uuid.uuid4().hex)
    return current()


def end() -> None:
    _current.set("")


def as_meta() -> dict[str, str]:
    """What a job takes along."""
    return {"request_id": current()} if current() else {}


def as_headers() -> dict[str, str]:
    """What a mail takes along."""
    return {HEADER: current()} if current() else {}


class RequestIdMiddleware:
    """Takes the id from the proxy, if there is one to trust, and hands it on in the answer.

    The id stays when the answer is returned: what is logged while it is being sent belongs to it too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = begin(request.headers.get(HEADER) if settings.BEHIND_PROXY else None)
        response = self.get_response(request)
        response.headers[HEADER] = request_id
        return response
