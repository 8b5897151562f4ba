"""Password hasher and validators."""

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MAX_PASSWORD_LENGTH = 128


class Argon2idHasher(Argon2PasswordHasher):
    """Argon2id with OWASP's first choice of parameters: 19 MiB, t=2, p=1.

    Django's default needs 100 MiB for each sign-in.
    """

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1


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
    """Limit on the length of a password: hashing a very long one would only cost time."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if len(password) > MAX_PASSWORD_LENGTH:
            raise ValidationError(
                _("This password is too long: %(limit)d characters are enough."),
                code="password_too_long",
                params={"limit": MAX_PASSWORD_LENGTH},
            )

    def get_help_text(self) -> str:
        return ngettext(
            "Your password can have %(limit)d character at most.",
            "Your password can have %(limit)d characters at most.",
            MAX_PASSWORD_LENGTH,
        ) % {"limit": MAX_PASSWORD_LENGTH}
