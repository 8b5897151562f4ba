from django.urls import path, register_converter
from django.urls.converters import StringConverter

from . import views


class UsernameConverter(StringConverter):
    """What a username can hold; anything else is a 404 before it reaches the database."""

    regex = "[A-Za-z0-9_.-]{1,64}"


register_converter(UsernameConverter, "username")

urlpatterns = [
    path("", views.home, name="home"),
    path("posts/", views.post_create, name="post-create"),
    path("@<username:username>/", views.profile, name="profile"),
    path("notifications/", views.notification_list, name="notifications"),
    path("language/", views.language, name="language"),
]
