from django.urls import path, register_converter
from django.urls.converters import StringConverter

from . import feeds
from .views import blocks, messages, notifications, posts, preferences, profiles, reports, search


class UsernameConverter(StringConverter):
    """Characters of a username; any other path is a 404 without a query."""

    regex = "[A-Za-z0-9_.-]{1,64}"


register_converter(UsernameConverter, "username")

urlpatterns = [
    path("", posts.home, name="home"),
    path("explore/", posts.explore, name="explore"),
    path("search/", search.search, name="search"),
    path("explore/feed/", feeds.explore_feed, name="explore-feed"),
    path("posts/", posts.post_create, name="post-create"),
    path("posts/<int:pk>/", posts.post_detail, name="post-detail"),
    path("posts/<int:pk>/edit/", posts.post_edit, name="post-edit"),
    path("posts/<int:pk>/delete/", posts.post_delete, name="post-delete"),
    path("posts/<int:pk>/report/", reports.post_report, name="post-report"),
    path("reports/<int:pk>/", reports.report_detail, name="report-detail"),
    path("@<username:username>/", profiles.profile, name="profile"),
    path("@<username:username>/feed/", feeds.profile_feed, name="profile-feed"),
    path("@<username:username>/card/", profiles.hover_card, name="hover-card"),
    path("@<username:username>/followers/", profiles.follower_list, name="follower-list"),
    path("@<username:username>/following/", profiles.following_list, name="following-list"),
    path("@<username:username>/follow/", profiles.follow_create, name="follow-create"),
    path("@<username:username>/unfollow/", profiles.follow_delete, name="follow-delete"),
    path("@<username:username>/mute/", blocks.mute_create, name="mute-create"),
    path("@<username:username>/unmute/", blocks.mute_delete, name="mute-delete"),
    path("@<username:username>/block/", blocks.block_create, name="block-create"),
    path("@<username:username>/unblock/", blocks.block_delete, name="block-delete"),
    path("@<username:username>/report/", reports.user_report, name="user-report"),
    path("avatars/<username:username>.svg", profiles.avatar, name="avatar"),
    path("messages/", messages.conversation_list, name="conversation-list"),
    path(
        "messages/@<username:username>/", messages.conversation_detail, name="conversation-detail"
    ),
    path(
        "messages/@<username:username>/news/", messages.conversation_poll, name="conversation-poll"
    ),
    path(
        "messages/@<username:username>/read/", messages.conversation_read, name="conversation-read"
    ),
    path("notifications/", notifications.notification_poll, name="notification-poll"),
    path("notifications/all/", notifications.notification_list, name="notification-list"),
    path("notifications/read/", notifications.notification_read, name="notification-read"),
    path("language/", preferences.language_set, name="language-set"),
    path("theme/", preferences.theme_set, name="theme-set"),
]
