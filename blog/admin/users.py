"""Admin pages for users, follows and MFA."""

from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.admin import EmailAddress
from allauth.mfa.admin import Authenticator
from allauth.usersessions.admin import UserSession
from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from staff.admin.base import ReadOnlyMixin

from .. import moderation
from ..accounts.allauth_internals import delete_and_cleanup
from ..accounts.deletion import request_deletion
from ..forms import UserAdminChangeForm, UserAdminCreationForm
from ..models import Follow, Post, User
from .decisions import DEACTIVATE, Decision, ModeratedAdmin


def reactivate_user(user: User, staff: User, form_data: dict[str, Any]) -> None:
    moderation.reactivate(user, staff)


def can_be_reactivated(user: User, staff: User) -> bool:
    return (
        not user.is_active
        and not moderation.is_being_deleted(user)
        and moderation.can_deactivate(user, staff)
    )


REACTIVATE = Decision(
    label=_("Reactivate the account"),
    effect=_("The person can sign in again, and they and their posts are seen again."),
    success_message=_("The account is active again."),
    perform=reactivate_user,
    is_available=can_be_reactivated,
)


@admin.register(User)
class UserAdmin(ModeratedAdmin, auth_admin.UserAdmin[User]):
    decisions = {"deactivate": DEACTIVATE, "reactivate": REACTIVATE}
    form = UserAdminChangeForm
    add_form = UserAdminCreationForm
    list_display = ["username", "email", "is_active", "is_staff", "date_joined", "last_seen_at"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups"]
    search_fields = ["username", "email"]
    ordering = ["username"]
    readonly_fields = ["is_active", "date_joined", "last_login", "last_seen_at"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (_("Person"), {"fields": ["email", "about_me", "language", "time_zone"]}),
        (
            _("Rights"),
            {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        (_("Dates"), {"fields": ["date_joined", "last_login", "last_seen_at"]}),
    ]
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": ["username", "email", "usable_password", "password1", "password2"],
                "description": _(
                    "The address counts as confirmed: enter one that you know to be theirs."
                ),
            },
        )
    ]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save the user; an address that staff entered counts as confirmed."""
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if "email" in form.changed_data:
                obj.confirm_email()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """List the accounts and the number of their posts: all rows would be too many to show."""
        users = list(objs)
        counts = {
            User._meta.verbose_name_plural: len(users),
            Post._meta.verbose_name_plural: Post.objects.filter(author__in=users).count(),
        }
        return [str(user) for user in users], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        staff = cast("User", request.user)
        request_deletion(obj, by_staff=True, actor=staff)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            for user in queryset:
                self.delete_model(request, user)


@admin.register(Follow)
class FollowAdmin(admin.ModelAdmin[Follow]):
    list_display = ["follower", "followed", "created_at"]
    list_select_related = ["follower", "followed"]
    show_full_result_count = False
    search_fields = ["follower__username", "followed__username"]
    ordering = ["-id"]
    raw_id_fields = ["follower", "followed"]
    readonly_fields = ["created_at"]


class AuthenticatorAdmin(ReadOnlyMixin, admin.ModelAdmin[Authenticator]):
    """MFA of users, without its secrets. Staff delete it for a user who lost theirs."""

    list_display = ["user", "created_at", "last_used_at"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]
    show_full_result_count = False
    ordering = ["-id"]
    fields = ["user", "created_at", "last_used_at"]
    readonly_fields = ["user", "created_at", "last_used_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Authenticator]:
        """Hide recovery codes: they are deleted with the TOTP authenticator."""
        authenticators: QuerySet[Authenticator] = super().get_queryset(request)
        return authenticators.exclude(type=Authenticator.Type.RECOVERY_CODES)

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        delete_and_cleanup(request, obj)
        get_adapter(request).send_notification_mail("mfa/email/totp_deactivated", obj.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Authenticator]) -> None:
        with transaction.atomic():
            for authenticator in queryset:
                self.delete_model(request, authenticator)


# The libraries' admin pages show MFA secrets and session keys, and accept unconfirmed addresses.
admin.site.unregister([Authenticator, EmailAddress, UserSession])
admin.site.register(Authenticator, AuthenticatorAdmin)
