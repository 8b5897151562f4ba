from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse

from blog.models.post import MAX_IMPORTED_LENGTH

from .problems import CONTENT_TYPE, problem_response

API_PREFIX = "/api/v1/"
UPLOAD_PATH = f"{API_PREFIX}imports/"  # its view limits the body itself
# Bytes of any other body: the longest text, in JSON with two escapes of 6 bytes a character
MAX_BODY_BYTES = 12 * MAX_IMPORTED_LENGTH + 1000
KEPT_HEADERS = ("Allow", "Content-Range", "Retry-After")


class ApiMiddleware:
    """Middleware that ignores sessions, turns every error into a problem, and forbids caching."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API_PREFIX):
            return self.get_response(request)
        request.user = AnonymousUser()
        response = problem_response(413) if is_too_large(request) else self.get_response(request)
        if response.status_code >= 400 and response["Content-Type"] != CONTENT_TYPE:
            headers = {name: response[name] for name in KEPT_HEADERS if name in response}
            response = problem_response(response.status_code, headers=headers)
        if response.status_code == 401:
            response["WWW-Authenticate"] = "Bearer"
        response["Cache-Control"] = "no-store"
        return response


def is_too_large(request: HttpRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return request.path_info != UPLOAD_PATH and int(length) > MAX_BODY_BYTES
