"""Token authentication and rate limits."""

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from blog import rate_limits
from blog.models import ApiToken

from .problems import ApiError

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Token(HttpBearer):
    """Authentication by `Authorization: Bearer mb_…`, never by session.

    Rejected requests count against the rate limits too; with an invalid token, only for the IP
    address.
    """

    def __call__(self, request: HttpRequest) -> ApiToken | None:
        token: ApiToken | None = super().__call__(request)
        if token:
            request.user = token.owner
            _activate_language(request, token.owner.language)
        enforce_rate_limit(request, "api")
        if token and token.is_read_only and request.method not in SAFE_METHODS:
            raise ApiError(403, _("This token may only read."))
        if token:
            token.touch_last_used()
        return token

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        return ApiToken.objects.find_valid(token)


def enforce_rate_limit(request: HttpRequest, action: str) -> None:
    """Count the request, and raise ApiError 429 if there were too many."""
    if seconds := rate_limits.consume(request, action):
        raise ApiError(
            429, rate_limits.error_message(seconds), headers={"Retry-After": str(seconds)}
        )


def _activate_language(request: HttpRequest, language: str) -> None:
    """Activate the user's language unless the client asks for another."""
    if "Accept-Language" not in request.headers and language in dict(settings.LANGUAGES):
        translation.activate(language)
