"""Language and theme, which visitors choose as well."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from ..http import next_url

THEMES = ("system", "light", "dark")
YEAR = timedelta(days=365)


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Django's own `set_language`, which also remembers the choice of whoever is signed in."""
    code = request.POST.get("language")
    if request.user.is_authenticated and code in dict(settings.LANGUAGES):
        request.user.language = code
        request.user.save(update_fields=["language"])
    return set_language(request)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice in a cookie, out of which `base.html` takes it: no script, and no flash of the other one."""
    response = redirect(next_url(request, reverse("home")))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        secure = settings.LANGUAGE_COOKIE_SECURE
        response.set_cookie(
            "theme", chosen, max_age=YEAR, secure=secure, httponly=True, samesite="Lax"
        )
    return response
