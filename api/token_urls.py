from django.urls import path

from . import token_views

urlpatterns = [
    path("", token_views.token_list, name="token-list"),
    path("new/", token_views.token_create, name="token-create"),
    path("made/", token_views.token_created, name="token-created"),
    path("<int:pk>/revoke/", token_views.token_revoke, name="token-revoke"),
]
