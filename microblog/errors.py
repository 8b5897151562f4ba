"""Responses to errors that are no faults of the site."""

import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, UnreadablePostError
from django.template.loader import render_to_string
from django.views.defaults import server_error

RETRY_SECONDS = 60
# Database, disk of the database, or object store: locked, full, restarting or out of reach.
UNAVAILABLE = (OperationalError, InterfaceError, BotoCoreError, ClientError)


def error_response(request: HttpRequest) -> HttpResponse:
    """Answer 503 while the database or the object store is unavailable, and 500 to other errors."""
    if not isinstance(sys.exc_info()[1], UNAVAILABLE):
        return server_error(request)
    page = render_to_string("unavailable.html")  # a page with a menu would need the database
    return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_SECONDS)})


class InterruptedRequestMiddleware:
    """Responses to clients that hang up while their request is being read.

    They are gone, but an uncaught error would be mailed to ADMINS.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return HttpResponseBadRequest() if isinstance(error, UnreadablePostError) else None
