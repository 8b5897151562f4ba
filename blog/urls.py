from django.urls import path, register_converter
from django.urls.converters import StringConverter

from . import feeds
from .views import messages, notifications, people, posts, preferences, reports, safety, search


class UsernameConverter(StringConverter):
    """What a username can hold; anything else is a 404 before it reaches the database."""

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
    path("@<username:username>/", people.profile, name="profile"),
    path("@<username:username>/feed/", feeds.profile_feed, name="profile-feed"),
    path("@<username:username>/card/", people.person_card, name="hover-card"),
    path("@<username:username>/followers/", people.follower_list, name="follower-list"),
    path("@<username:username>/following/", people.following_list, name="following-list"),
    path("@<username:username>/follow/", people.follow_create, name="follow-create"),
    path("@<username:username>/unfollow/", people.follow_delete, name="follow-delete"),
    path("@<username:username>/mute/", safety.mute_create, name="mute-create"),
    path("@<username:username>/unmute/", safety.mute_delete, name="mute-delete"),
    path("@<username:username>/block/", safety.block_create, name="block-create"),
    path("@<username:username>/unblock/", safety.block_delete, name="block-delete"),
    path("@<username:username>/report/", reports.person_report, name="user-report"),
    path("avatars/<username:username>.svg", people.avatar, name="avatar"),
    path("messages/", messages.conversation_list, name="conversation-list"),
    path(
        "messages/@<username:username>/", messages.conversation_detail, name="conversation-detail"
    ),
    path(
        "messages/@<username:username>/news/", messages.conversation_news, name="conversation-poll"
    ),
    path(
        "messages/@<username:username>/read/", messages.conversation_read, name="conversation-read"
    ),
    path("notifications/", notifications.notification_poll, name="notifications"),
    path("notifications/all/", notifications.notification_list, name="notification-list"),
    path("notifications/read/", notifications.notification_read, name="notification-read"),
    path("language/", preferences.language, name="language"),
    path("theme/", preferences.theme, name="theme"),
]
