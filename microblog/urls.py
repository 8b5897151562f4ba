from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("exports/", include("exports.urls")),
    path("settings/", include("blog.account_urls")),
    path("", include("blog.urls")),
]

if settings.ANYMAIL.get("WEBHOOK_SECRET"):
    # Without it anyone could tell us of mails that were refused.
    urlpatterns.insert(0, path("anymail/", include("anymail.urls")))
