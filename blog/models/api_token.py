"""API tokens."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from .last_use import touch
from .user import User

PREFIX = "mb_"  # lets secret scanners recognise a leaked token
SECRET_BYTES = 32
MAX_TOKEN_NAME_LENGTH = 64
MAX_TOKENS = 20


class TooManyTokens(Exception):
    """Error of an owner who already has MAX_TOKENS tokens."""


def hash_secret(secret: str) -> str:
    # A fast hash is enough: 256 random bits cannot be guessed.
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def valid_for(self, owner: User) -> ApiTokenQuerySet:
        return self.filter(owner=owner, auth_hash=owner.get_session_auth_hash())

    def issue(self, owner: User, name: str, is_read_only: bool) -> tuple[ApiToken, str]:
        """Create a token and return it with its secret, which is not stored.

        Raise TooManyTokens if the owner has MAX_TOKENS already.
        """
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        with transaction.atomic():
            # Lock the owner, so that two concurrent requests cannot both take the last place.
            User.objects.select_for_update(no_key=True).get(pk=owner.pk)
            valid = self.valid_for(owner)
            self.filter(owner=owner).exclude(pk__in=valid).delete()
            if valid.count() >= MAX_TOKENS:
                raise TooManyTokens
            token = self.create(
                owner=owner,
                name=name,
                is_read_only=is_read_only,
                digest=hash_secret(secret),
                auth_hash=owner.get_session_auth_hash(),
            )
        return token, secret

    def find_valid(self, secret: str) -> ApiToken | None:
        if not secret.startswith(PREFIX):
            return None
        tokens = self.select_related("owner").filter(owner__is_active=True)
        token = tokens.filter(digest=hash_secret(secret)).first()
        return token if token and token.is_valid else None


class ApiToken(models.Model):
    """Token that lets a program act for its owner, until revoked or the password changes."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens", db_index=False
    )
    name = models.CharField(_("name"), max_length=MAX_TOKEN_NAME_LENGTH)
    is_read_only = models.BooleanField(_("may only read"))
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the secret, in hex
    # The owner's session hash: a new password invalidates tokens as it ends sessions.
    auth_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(_("made at"), default=timezone.now)
    last_used_at = models.DateTimeField(_("last used at"), null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        indexes = [
            # The tokens of an owner, newest first.
            models.Index(fields=["owner", "-created_at"], name="blog_apitoken_owner")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_valid(self) -> bool:
        return constant_time_compare(self.auth_hash, self.owner.get_session_auth_hash())

    def touch_last_used(self) -> None:
        touch(ApiToken.objects.filter(pk=self.pk), "last_used_at", self.last_used_at)
