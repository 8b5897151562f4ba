"""Tokens, with which programs act for people."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from .user import User

PREFIX = "mb_"  # by which a secret is recognised where it should not be, as in a repository
SECRET_BYTES = 32
TOKEN_NAME_LENGTH = 64
MOST_TOKENS = 20
USED_EVERY = timedelta(minutes=1)


class TooManyTokens(Exception):
    """The owner has MOST_TOKENS already."""


def digest_of(secret: str) -> str:
    """A fast hash will do: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def alive(self, owner: User) -> ApiTokenQuerySet:
        """Those of the owner that were made under their present password."""
        return self.filter(owner=owner, auth_hash=owner.get_session_auth_hash())

    def make(self, owner: User, name: str, is_read_only: bool) -> tuple[ApiToken, str]:
        """A new token and its secret, which nobody can read again; TooManyTokens if there is no room for it."""
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        with transaction.atomic():
            User.objects.select_for_update(no_key=True).get(pk=owner.pk)  # one after the other
            alive = self.alive(owner)
            self.filter(owner=owner).exclude(pk__in=alive).delete()
            if alive.count() >= MOST_TOKENS:
                raise TooManyTokens
            auth_hash = owner.get_session_auth_hash()
            digest = digest_of(secret)
            return self.create(
                owner=owner,
                name=name,
                is_read_only=is_read_only,
                digest=digest,
                auth_hash=auth_hash,
            ), secret

    def find(self, secret: str) -> ApiToken | None:
        """The token of that secret, with its owner, if it still counts."""
        if not secret.startswith(PREFIX):
            return None
        token = (
            self.select_related("owner")
            .filter(digest=digest_of(secret), owner__is_active=True)
            .first()
        )
        return token if token and token.is_alive else None


class ApiToken(models.Model):
    """Lets whoever has its secret act for its owner, until it is revoked or the owner's password changes."""

    owner = models.ForeignKey(User, models.CASCADE, related_name="api_tokens", db_index=False)
    name = models.CharField(_("name"), max_length=TOKEN_NAME_LENGTH)
    is_read_only = models.BooleanField(_("may only read"))
    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 of the secret, in hex."""
    auth_hash = models.CharField(max_length=64)
    """What Django's sessions keep of the password too: a new one ends them all."""
    created_at = models.DateTimeField(_("made at"), default=timezone.now)
    last_used_at = models.DateTimeField(_("last used at"), null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        indexes = [
            # The tokens of one person, newest first.
            models.Index(fields=["owner", "-created_at"], name="blog_apitoken_owner")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_alive(self) -> bool:
        """Whether the owner's password is the one that it was made under."""
        return constant_time_compare(self.auth_hash, self.owner.get_session_auth_hash())

    def note_used(self) -> None:
        """Write `last_used_at`, at most once a minute. Looked at in Python first: even an idle UPDATE locks SQLite."""
        now = timezone.now()
        stale = now - USED_EVERY
        if self.last_used_at and self.last_used_at > stale:
            return
        not_lately = Q(last_used_at=None) | Q(last_used_at__lte=stale)
        ApiToken.objects.filter(not_lately, pk=self.pk).update(last_used_at=now)
