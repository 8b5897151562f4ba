"""Users."""

from __future__ import annotations

from functools import cache
from typing import ClassVar
from zoneinfo import available_timezones

from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, RegexValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .profiles import UserManager

USERNAME_VALIDATORS = [
    RegexValidator(
        r"\A[A-Za-z0-9_.-]+\Z",
        _("Use letters from a to z, digits, dots, hyphens and underscores only."),
        "username",
    )
]

# Enables `username__lower=`, which the unique index on Lower("username") serves.
models.CharField.register_lookup(Lower)


time_zones = cache(available_timezones)  # available_timezones reads the disk


def validate_time_zone(name: str) -> None:
    if name not in time_zones():
        raise ValidationError(
            _("“%(name)s” is not a time zone that we know."), code="zone", params={"name": name}
        )


def confirmed_emails(user: User | models.OuterRef) -> models.QuerySet[EmailAddress, str]:
    """Return the user's confirmed address: none or one row."""
    confirmed: models.QuerySet[EmailAddress] = EmailAddress.objects.filter(
        user=user, verified=True, primary=True
    )
    return confirmed.values_list("email", flat=True)


class User(AbstractUser):
    """User. Usernames are ASCII, so that no two different ones look the same."""

    first_name = last_name = None  # type: ignore[assignment]
    username = models.CharField(
        _("username"),
        max_length=64,
        unique=True,
        validators=USERNAME_VALIDATORS,
        help_text=_("Letters from a to z, digits, dots, hyphens and underscores; 64 at most."),
        error_messages={"unique": _("This name is taken.")},
    )
    about_me = models.TextField(
        _("about me"), max_length=280, blank=True, validators=[MaxLengthValidator(280)]
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        help_text=_("Empty: whatever the browser asks for."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Empty: the browser's own."),
    )
    has_follow_mail = models.BooleanField(
        _("mail about new followers"), default=False, db_default=False
    )
    has_mention_mail = models.BooleanField(
        _("mail about mentions"), default=False, db_default=False
    )
    has_message_mail = models.BooleanField(_("mail about messages"), default=True, db_default=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="blog_user_username",
                violation_error_message=_("This name is taken."),
            ),
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="blog_user_email",
                violation_error_message=_("This address belongs to another account."),
            ),
        ]
        indexes = [
            # The inactive accounts, which the counts of followers leave out.
            models.Index(
                fields=["id"], condition=models.Q(is_active=False), name="blog_user_closed"
            )
        ]

    def get_absolute_url(self) -> str:
        return reverse("profile", args=[self.username])

    @property
    def confirmed_email(self) -> str | None:
        return confirmed_emails(self).first()

    def confirm_email(self) -> None:
        """Mark the account's address as confirmed, in place of any other."""
        with transaction.atomic():
            EmailAddress.objects.filter(user=self).delete()
            if self.email:
                EmailAddress.objects.create(
                    user=self, email=self.email.lower(), verified=True, primary=True
                )
