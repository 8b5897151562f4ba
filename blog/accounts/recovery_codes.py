"""Recovery codes that are stored as hashes and shown only while they are new."""

from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt, encrypt
from cryptography.fernet import InvalidToken
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from ..models import User
from .allauth_internals import RecoveryCodes, normalize_user_code
from .encryption import encryption_keys

SESSION_KEY = "new_recovery_codes"  # holds the authenticator's primary key and the encrypted codes
SHOWN_SECONDS = 600
HIDDEN_CODE = "****"
HASHES = "hashes"  # in the authenticator's data; None in place of each code that was used
MAX_TOTP_LENGTH = 6


class HashedRecoveryCodes(RecoveryCodes):  # type: ignore[misc]  # untyped in allauth
    """Replacement for django-allauth's class, which stores a seed that yields all codes.

    Hashes are encrypted, because all of the 8 digits could be tried.
    """

    instance: Authenticator
    new_codes: tuple[str, ...] = ()

    @classmethod
    def activate(cls, user: User) -> "HashedRecoveryCodes":
        """Get the user's recovery codes, or create some that this session can show for a while."""
        existing = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES)
        is_new = not existing.exists()
        codes: HashedRecoveryCodes = super().activate(user)
        if is_new:
            codes.new_codes = tuple(RecoveryCodes.get_unused_codes(codes))
            if context.request:
                encrypted = encryption_keys().encrypt(" ".join(codes.new_codes).encode()).decode()
                context.request.session[SESSION_KEY] = [codes.instance.pk, encrypted]
        hash_stored_codes(codes.instance)
        return codes

    def get_unused_codes(self) -> list[str]:
        """Return the unused codes while they are new to this session, later HIDDEN_CODE each."""
        hash_stored_codes(self.instance)
        hashes = self.instance.data[HASHES]
        shown = self._read_new_codes() or [HIDDEN_CODE] * len(hashes)
        return [code for code, hashed in zip(shown, hashes, strict=True) if hashed]

    def validate_code(self, code: str) -> bool:
        hash_stored_codes(self.instance)
        code = normalize_user_code(code)
        if len(code) <= MAX_TOTP_LENGTH:  # do not hash what cannot be a recovery code
            return False
        hashes = self.instance.data[HASHES]
        matches = (hashed and check_password(code, decrypt(hashed)) for hashed in hashes)
        place = next((place for place, is_match in enumerate(matches) if is_match), None)
        return place is not None and self._use(place, hashes[place])

    @transaction.atomic
    def _use(self, place: int, hashed: str) -> bool:
        """Remove a hash. Return False if a concurrent request has removed it."""
        self.instance = Authenticator.objects.select_for_update().get(pk=self.instance.pk)
        if self.instance.data[HASHES][place] != hashed:
            return False
        self.instance.data[HASHES][place] = None
        self.instance.save(update_fields=["data"])
        return True

    def _read_new_codes(self) -> list[str]:
        session = context.request.session if context.request else {}
        pk, encrypted = session.get(SESSION_KEY, (None, ""))
        if pk != self.instance.pk:
            return []
        try:
            return encryption_keys().decrypt(encrypted, ttl=SHOWN_SECONDS).decode().split()
        except InvalidToken:
            del session[SESSION_KEY]
            return []

    # django-allauth shows codes that were not viewed yet (MFA_RECOVERY_CODES_SHOW_ONCE).

    @property
    def did_view(self) -> bool:
        return not self._read_new_codes()

    def mark_as_viewed(self) -> None:
        pass


def hash_stored_codes(authenticator: Authenticator) -> None:
    """Replace the seed of the codes, if there still is one, by a hash of each.

    A version of the site that knows no hashes reads the empty `migrated_codes`: no code is left.
    """
    if HASHES in authenticator.data:
        return
    codes = RecoveryCodes(authenticator).get_unused_codes()
    hashes = [encrypt(make_password(code)) for code in codes]
    authenticator.data = {HASHES: hashes, "migrated_codes": []}
    authenticator.save(update_fields=["data"])
