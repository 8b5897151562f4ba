"""Which names a new account may have."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ..models import ReservedName

PUNCTUATION = "._-"
LOOKALIKES = {"0": "o", "1": "il"}  # letters that a digit is read as


def validate_new_username(name: str) -> None:
    """Reject a name that a sentence would end or begin differently, or one of a deleted account.

    Existing accounts keep their names, whatever those are.
    """
    if name.strip(PUNCTUATION) != name:
        raise ValidationError(
            _("A username must begin and end with a letter or digit."), code="username_punctuation"
        )
    if ReservedName.objects.is_reserved(name):
        # The message of a name in use, which does not tell that an account was deleted.
        raise ValidationError(_("This username is taken."), code="unique")


def is_site_name(name: str) -> bool:
    """Return whether the name reads like one that belongs to the site, such as "admin"."""
    letters = [letter for letter in name.lower() if letter not in PUNCTUATION]
    return any(_reads_as(letters, reserved) for reserved in settings.ACCOUNT_USERNAME_BLACKLIST)


def _reads_as(letters: list[str], word: str) -> bool:
    return len(letters) == len(word) and all(
        letter == expected or expected in LOOKALIKES.get(letter, "")
        for letter, expected in zip(letters, word, strict=True)
    )
