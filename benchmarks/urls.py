"""The site's URLs, and an empty view."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path


def empty(request: HttpRequest) -> JsonResponse:
    """Return only the username: the minimum of a view with authentication."""
    return JsonResponse({"name": request.user.get_username()})


urlpatterns = [path("empty/", empty), path("", include("microblog.urls"))]
