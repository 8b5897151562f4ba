"""People and posts, for staff."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .deletion import delete_account
from .forms import PersonChangeForm, PersonCreationForm, PostAdminForm
from .models import Follow, Post, User


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    form = PersonChangeForm
    add_form = PersonCreationForm
    list_display = ["username", "email", "is_active", "is_staff", "date_joined", "last_seen_at"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups"]
    search_fields = ["username", "email"]
    ordering = ["username"]
    readonly_fields = ["date_joined", "last_login", "last_seen_at"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": ["email", "about_me", "language", "time_zone"]}),
        (_("Rights"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["date_joined", "last_login", "last_seen_at"]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": ["username", "email", "usable_password", "password1", "password2"],
                "description": _("The address counts as confirmed: enter one that you know to be theirs."),
            },
        )
    ]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save, and let an address that staff entered replace whatever was confirmed before."""
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if "email" in form.changed_data:
                obj.confirm_email()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Whoever may delete a person may delete what is theirs, also what nobody may delete by itself."""
        to_delete, counts, _perms_needed, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        delete_account(obj, by_staff=True)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            for person in queryset:
                delete_account(person, by_staff=True)


@admin.register(Post)
class PostAdmin(admin.ModelAdmin[Post]):
    form = PostAdminForm
    list_display = ["__str__", "author", "created_at"]
    list_select_related = ["author"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["body", "author__username"]
    search_help_text = _("Words of the post, or the author's name")
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    raw_id_fields = ["author"]
    readonly_fields = ["created_at", "edited_at"]


@admin.register(Follow)
class FollowAdmin(admin.ModelAdmin[Follow]):
    list_display = ["follower", "followed", "created_at"]
    list_select_related = ["follower", "followed"]
    show_full_result_count = False
    search_fields = ["follower__username", "followed__username"]
    ordering = ["-id"]
    raw_id_fields = ["follower", "followed"]
    readonly_fields = ["created_at"]
