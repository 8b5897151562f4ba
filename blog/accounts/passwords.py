"""What a password must be."""

from django.contrib.auth import password_validation
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

LONGEST_PASSWORD = 128


class MinimumLengthValidator(password_validation.MinimumLengthValidator):
    def get_error_message(self) -> str:
        return ngettext(
            "This password is too short: it must have %(limit)d character at least.",
            "This password is too short: it must have %(limit)d characters at least.",
            self.min_length,
        ) % {"limit": self.min_length}


class CommonPasswordValidator(password_validation.CommonPasswordValidator):
    def get_error_message(self) -> str:
        return _("Many people use this password, and it is soon guessed. Please choose another.")


class UserAttributeSimilarityValidator(password_validation.UserAttributeSimilarityValidator):
    def get_error_message(self) -> str:
        return _("This password is too much like your name or your address. Please choose another.")


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
