"""Password hasher and validators."""

import re
import unicodedata

from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from zxcvbn_rs_py import zxcvbn

MAX_PASSWORD_LENGTH = 128
MIN_STRENGTH = 2  # score of zxcvbn, 0 to 4: at least a million guesses
# Characters that zxcvbn examines: 32 take 0.1 s at most, 128 up to 1.5 s.
MAX_EXAMINED_LENGTH = 32
MIN_WORD_LENGTH = 3
# The site's name, and "password" in its languages; zxcvbn itself knows English words only.
SITE_WORDS = ["microblog", "microblogging", "contraseña", "contrasena", "clave", "mima", "密码"]


def normalize_password(password: str) -> str:
    """Return the form of Unicode that NIST SP 800-63B recommends for hashing."""
    return unicodedata.normalize("NFKC", password)


class Argon2idHasher(Argon2PasswordHasher):
    """Argon2id with OWASP's first choice of parameters: 19 MiB, t=2, p=1.

    Django's default needs 100 MiB for each sign-in.
    """

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Hash the normal form: keyboards send "ö" as one code point or as two.

        Hash the password as it was typed as well, and discard that: `verify` tries both forms, and
        takes as long for users that do not exist (enumeration by timing).
        """
        normal = normalize_password(password)
        if normal != password:
            super().encode(password, salt)
        return super().encode(normal, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Compare the normal form, and for older hashes the password as it was typed."""
        normal = normalize_password(password)
        return super().verify(normal, encoded) or (
            normal != password and super().verify(password, encoded)
        )


class MinimumLengthValidator(password_validation.MinimumLengthValidator):
    def get_error_message(self) -> str:
        return ngettext(
            "This password is too short: it must have at least %(limit)d character.",
            "This password is too short: it must have at least %(limit)d characters.",
            self.min_length,
        ) % {"limit": self.min_length}


class PasswordStrengthValidator:
    """Minimum strength, where words of this site and of the user count as known to attackers."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        examined = password[:MAX_EXAMINED_LENGTH]
        if int(zxcvbn(examined, guessable_words(user)).score) < MIN_STRENGTH:
            raise ValidationError(
                _("This password is easy to guess. Try three or four random words."),
                code="password_too_weak",
            )

    def get_help_text(self) -> str:
        return _("Your password must not be easy to guess.")


def guessable_words(user: AbstractBaseUser | None) -> list[str]:
    """Return words of the site and of the user, and the parts of both, such as of an address."""
    texts = [str(getattr(user, field, "")) for field in ("username", "email", "about_me")]
    texts += [settings.SITE_HOST, *texts[1].split("@")]
    parts = [part for text in texts for part in re.split(r"[\W_]+", text)]
    return SITE_WORDS + [word for word in texts + parts if len(word) >= MIN_WORD_LENGTH]


class UserAttributeSimilarityValidator(password_validation.UserAttributeSimilarityValidator):
    def get_error_message(self) -> str:
        return _(
            "This password is too similar to your username or email address. Please choose another."
        )


class MaximumLengthValidator:
    """Limit on the length of a password: hashing a very long one would only cost time."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if len(password) > MAX_PASSWORD_LENGTH:
            raise ValidationError(
                _("This password is too long: the limit is %(limit)d characters."),
                code="password_too_long",
                params={"limit": MAX_PASSWORD_LENGTH},
            )

    def get_help_text(self) -> str:
        return ngettext(
            "Your password can have at most %(limit)d character.",
            "Your password can have at most %(limit)d characters.",
            MAX_PASSWORD_LENGTH,
        ) % {"limit": MAX_PASSWORD_LENGTH}
