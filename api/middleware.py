from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse

from .problems import CONTENT_TYPE, problem

API = "/api/v1/"
KEPT = ("Allow", "Retry-After")


class ApiMiddleware:
    """Forgets whose session it is, tells of every error as a problem, and lets nobody keep an answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API):
            return self.get_response(request)
        request.user = AnonymousUser()
        response = self.get_response(request)
        if response.status_code >= 400 and response["Content-Type"] != CONTENT_TYPE:
            kept = {name: response[name] for name in KEPT if name in response}
            response = problem(response.status_code, headers=kept)
        if response.status_code == 401:
            response["WWW-Authenticate"] = "Bearer"
        response["Cache-Control"] = "no-store"
        return response
