from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse

from .problems import CONTENT_TYPE, problem_response

API_PREFIX = "/api/v1/"
KEPT_HEADERS = ("Allow", "Retry-After")


class ApiMiddleware:
    """Middleware that ignores sessions, turns every error into a problem, and forbids caching."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API_PREFIX):
            return self.get_response(request)
        request.user = AnonymousUser()
        response = self.get_response(request)
        if response.status_code >= 400 and response["Content-Type"] != CONTENT_TYPE:
            headers = {name: response[name] for name in KEPT_HEADERS if name in response}
            response = problem_response(response.status_code, headers=headers)
        if response.status_code == 401:
            response["WWW-Authenticate"] = "Bearer"
        response["Cache-Control"] = "no-store"
        return response
