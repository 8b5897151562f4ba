from allauth.account import views as account_views
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path


def closed(request: HttpRequest, rest: str) -> HttpResponse:
    """Account pages that are not open yet; their names must resolve, since allauth links to them."""
    raise Http404


urlpatterns = [
    path("accounts/login/", account_views.login),
    path("accounts/logout/", account_views.logout),
    path("accounts/<path:rest>", closed),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
    path("exports/", include("exports.urls")),
    path("", include("blog.urls")),
]
