"""The site's own addresses, and one for a view that does nothing."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path


def empty(request: HttpRequest) -> JsonResponse:
    """As little as a view can do for whoever is signed in."""
    return JsonResponse({"name": request.user.get_username()})


urlpatterns = [path("empty/", empty), path("", include("microblog.urls"))]
