from django.urls import path

from . import account_views
from .views import people

urlpatterns = [
    path("", account_views.settings, name="settings"),
    path("profile/", people.profile_edit, name="profile-edit"),
    path("notifications/", account_views.notification_settings, name="notification-settings"),
    path("delete/", account_views.account_delete, name="account-delete"),
    path("sessions/<int:pk>/end/", account_views.session_end, name="session-end"),
]
