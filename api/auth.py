"""Who asks, and how often: a token says it, never a session."""

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from blog import rate_limits
from blog.models import ApiToken

from .problems import Refusal

SAFE = ("GET", "HEAD", "OPTIONS")


class Token(HttpBearer):
    """`Authorization: Bearer mb_…`. What is refused counts as well: for the address, if it is nobody's."""

    def __call__(self, request: HttpRequest) -> ApiToken | None:
        token: ApiToken | None = super().__call__(request)
        if token:
            request.user = token.owner
            _speak(request, token.owner.language)
        count(request, "api")
        if token and token.is_read_only and request.method not in SAFE:
            raise Refusal(403, _("This token may only read."))
        if token:
            token.note_used()
        return token

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        return ApiToken.objects.find(token)


def count(request: HttpRequest, what: str) -> None:
    """Refuse what is done too often."""
    if seconds := rate_limits.consume(request, what):
        raise Refusal(429, rate_limits.error_message(seconds), headers={"Retry-After": str(seconds)})


def _speak(request: HttpRequest, language: str) -> None:
    """The person's language, unless the program asks for another."""
    if "Accept-Language" not in request.headers and language in dict(settings.LANGUAGES):
        translation.activate(language)
