from django.urls import path, register_converter
from django.urls.converters import StringConverter

from . import views


class UsernameConverter(StringConverter):
    """What a username can hold; anything else is a 404 before it reaches the database."""

    regex = "[A-Za-z0-9_.-]{1,64}"


register_converter(UsernameConverter, "username")

urlpatterns = [
    path("", views.home, name="home"),
    path("explore/", views.explore, name="explore"),
    path("posts/", views.post_create, name="post-create"),
    path("posts/<int:pk>/", views.post_detail, name="post-detail"),
    path("posts/<int:pk>/edit/", views.post_edit, name="post-edit"),
    path("posts/<int:pk>/delete/", views.post_delete, name="post-delete"),
    path("@<username:username>/", views.profile, name="profile"),
    path("@<username:username>/card/", views.person_card, name="person-card"),
    path("@<username:username>/followers/", views.follower_list, name="follower-list"),
    path("@<username:username>/following/", views.following_list, name="following-list"),
    path("@<username:username>/follow/", views.follow_create, name="follow-create"),
    path("@<username:username>/unfollow/", views.follow_delete, name="follow-delete"),
    path("avatars/<username:username>.svg", views.avatar, name="avatar"),
    path("notifications/", views.notification_list, name="notifications"),
    path("language/", views.language, name="language"),
    path("theme/", views.theme, name="theme"),
]
