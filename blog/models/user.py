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
from .searchable import SearchableModel

MAX_ABOUT_ME_LENGTH = 280

USERNAME_VALIDATORS = [
    RegexValidator(
        r"\A[A-Za-z0-9_.-]+\Z",
        _("Use only letters a–z, digits, dots, hyphens and underscores."),
        "username",
    )
]

# Enables `username__lower=`, which the unique index on Lower("username") serves.
models.CharField.register_lookup(Lower)


time_zones = cache(available_timezones)  # available_timezones reads the disk


def validate_time_zone(name: str) -> None:
    if name not in time_zones():
        raise ValidationError(
            _("“%(name)s” isn't a known time zone."), code="zone", params={"name": name}
        )


def confirmed_emails(user: User | models.OuterRef) -> models.QuerySet[EmailAddress, str]:
    """Return the user's confirmed address: none or one row."""
    confirmed: models.QuerySet[EmailAddress] = EmailAddress.objects.filter(
        user=user, verified=True, primary=True
    )
    return confirmed.values_list("email", flat=True)


class User(SearchableModel, AbstractUser):
    """User. Usernames are ASCII, so that no two different ones look the same.

    `blog.accounts.usernames` says which of them new accounts may have.
    """

    search_fields = ("username", "about_me")

    first_name = last_name = None  # type: ignore[assignment]
    username = models.CharField(
        _("username"),
        max_length=64,
        unique=True,
        validators=USERNAME_VALIDATORS,
        help_text=_("Letters a–z, digits, dots, hyphens and underscores; up to 64."),
        error_messages={"unique": _("This username is taken.")},
    )
    about_me = models.TextField(
        _("about me"),
        max_length=MAX_ABOUT_ME_LENGTH,
        blank=True,
        validators=[MaxLengthValidator(MAX_ABOUT_ME_LENGTH)],
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        help_text=_("If empty, the browser's language is used."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("If empty, the browser's time zone is used."),
    )
    has_follow_mail = models.BooleanField(
        _("email about new followers"), default=False, db_default=False
    )
    has_mention_mail = models.BooleanField(
        _("email about mentions"), default=False, db_default=False
    )
    has_message_mail = models.BooleanField(_("email about messages"), default=True, db_default=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True, editable=False)
    # False from signing up until the address is confirmed. Nobody sees the account, and `email` is
    # empty, so that a sign-up with the address of another account looks the same.
    is_confirmed = models.BooleanField(
        _("confirmed"), default=True, db_default=True, editable=False
    )

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="blog_user_username",
                violation_error_message=_("This username is taken."),
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
            ),
            # The rows without search text, which are to be indexed.
            models.Index(
                fields=["id"], condition=models.Q(search_text=None), name="blog_user_unindexed"
            ),
        ]

    def get_absolute_url(self) -> str:
        return reverse("profile", args=[self.username])

    @property
    def confirmed_email(self) -> str | None:
        return confirmed_emails(self).first()

    @property
    def known_time_zone(self) -> str:
        """The chosen time zone; UTC without one, or if this host's tzdata does not know it."""
        return self.time_zone if self.time_zone in time_zones() else "UTC"

    def confirm_email(self) -> None:
        """Mark the account's address as confirmed, in place of any other."""
        with transaction.atomic():
            EmailAddress.objects.filter(user=self).delete()
            if self.email:
                EmailAddress.objects.create(
                    user=self, email=self.email.lower(), verified=True, primary=True
                )
                self.is_confirmed = True
                self.save(update_fields=["is_confirmed"])
