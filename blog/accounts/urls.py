from django.urls import path

from ..views import blocks, profiles
from . import views as account_views

urlpatterns = [
    path("", account_views.settings, name="settings"),
    path("profile/", profiles.profile_edit, name="profile-edit"),
    path("notifications/", account_views.notification_settings, name="notification-settings"),
    path("blocks/", blocks.block_list, name="block-list"),
    path("delete/", account_views.account_delete, name="account-delete"),
    path("sessions/<int:pk>/end/", account_views.session_end, name="session-end"),
]
