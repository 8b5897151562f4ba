"""What a password must be."""

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

LONGEST_PASSWORD = 128


class MaximumLengthValidator:
    """Refuses what is too long to be typed, and would only keep the hasher busy."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if len(password) > LONGEST_PASSWORD:
            raise ValidationError(
                _("This password is too long: %(limit)d characters are enough."),
                code="password_too_long",
                params={"limit": LONGEST_PASSWORD},
            )

    def get_help_text(self) -> str:
        return ngettext(
            "Your password can have %(limit)d character at most.",
            "Your password can have %(limit)d characters at most.",
            LONGEST_PASSWORD,
        ) % {"limit": LONGEST_PASSWORD}
