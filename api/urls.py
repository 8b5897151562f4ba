from django.urls import path, re_path
from django.views.generic import RedirectView

from .documentation import documentation
from .problems import not_found
from .v1 import api

documentation_redirect = RedirectView.as_view(pattern_name="api-docs")

urlpatterns = [
    path("", documentation_redirect),
    path("docs", documentation_redirect),
    path("docs/", documentation, name="api-docs"),
    path("v1/", not_found),
    path("v1/", api.urls),
    re_path("", not_found),
]
