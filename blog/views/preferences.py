"""Choice of language and theme, for visitors too."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from microblog.http import safe_next_url

THEMES = ("system", "light", "dark")
THEME_COOKIE_AGE = timedelta(days=365)


@require_POST
def language_set(request: HttpRequest) -> HttpResponse:
    code = request.POST.get("language")
    if request.user.is_authenticated and code in dict(settings.LANGUAGES):
        request.user.language = code
        request.user.save(update_fields=["language"])
    return set_language(request)  # sets the cookie, and checks `next`


@require_POST
def theme_set(request: HttpRequest) -> HttpResponse:
    """Set the theme cookie.

    `base.html` reads it on the server, so no script is needed and the other theme never flashes.
    """
    response = redirect(safe_next_url(request, reverse("home")))
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            "theme",
            theme,
            max_age=THEME_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response
