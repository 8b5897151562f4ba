from django.contrib import admin
from django.urls import include, path

from . import webhooks
from .security_txt import security_txt

handler500 = "microblog.errors.error_response"

urlpatterns = [
    path(".well-known/security.txt", security_txt),
    path("accounts/", include("blog.accounts.allauth_urls")),
    path("admin/", admin.site.urls),
    path("exports/", include("exports.urls")),
    path("imports/", include("imports.urls")),
    path("settings/tokens/", include("api.token_urls")),
    path("settings/", include("blog.accounts.urls")),
    path("", include("blog.urls")),
    path("api/", include("api.urls")),  # needs the converter that blog.urls registers
]

if patterns := webhooks.urls():
    urlpatterns.insert(0, path("anymail/", include(patterns)))
