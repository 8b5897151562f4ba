from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from .security_txt import security_txt

urlpatterns = [
    path(".well-known/security.txt", security_txt),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("exports/", include("exports.urls")),
    path("imports/", include("imports.urls")),
    path("settings/tokens/", include("api.token_urls")),
    path("settings/", include("blog.accounts.urls")),
    path("", include("blog.urls")),
    path("api/", include("api.urls")),  # needs the converter that blog.urls registers
]

if settings.ANYMAIL.get("WEBHOOK_SECRET"):
    # Without the secret anyone could report a mail as bounced, so the webhook does not exist.
    urlpatterns.insert(0, path("anymail/", include("anymail.urls")))
