"""Posts, and who may see which."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..pagination import PAGE_SIZE, parse_cursor
from ..paths import path_to
from . import timeline
from .block import Mute, unblocked, unmuted
from .user import User

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

POST_LENGTH = 280  # characters as Python counts them: Unicode code points
HIDDEN_REASON_LENGTH = 280


class PostQuerySet(models.QuerySet["Post"]):
    def published(self) -> PostQuerySet:
        """What anybody may see: not hidden by staff, and of an open account."""
        return self.filter(hidden_at=None, author__is_active=True)

    def visible_to(self, viewer: User | AnonymousUser) -> PostQuerySet:
        """What the viewer may go and see: no blocked person's posts; their own also where staff hid them."""
        seen = models.Q(hidden_at=None) | models.Q(author=viewer.pk)
        return self.filter(seen, unblocked(viewer, "author"), author__is_active=True)

    def offered_to(self, viewer: User | AnonymousUser) -> PostQuerySet:
        """What the viewer comes across without going there: nothing of those whom they muted, either."""
        return self.published().filter(unblocked(viewer, "author"), unmuted(viewer, "author"))

    def described(self, viewer: User | AnonymousUser) -> PostQuerySet:
        """With their authors, and `is_author_muted`: whether the viewer did that."""
        muted = models.Exists(Mute.objects.filter(muter=viewer.pk, muted=models.OuterRef("author")))
        return self.select_related("author").annotate(is_author_muted=muted)

    def followed_by(self, reader: User, before: str | None, size: int = PAGE_SIZE) -> PostQuerySet:
        """A page, and one more, of what the reader and whom they follow have written, newest first after the cursor."""
        sql, parameters = timeline.query(reader.pk, parse_cursor(before, Post), size + 1)
        return self.filter(pk__in=RawSQL(sql, parameters)).newest_first()  # noqa: S611 - parameters are bound

    def newest_first(self) -> PostQuerySet:
        return self.order_by("-created_at", "-id")

    def oldest_first(self) -> PostQuerySet:
        """The order of an archive."""
        return self.order_by("created_at", "id")


class Post(models.Model):
    """A short text by one person."""

    author = models.ForeignKey(
        User, models.CASCADE, related_name="posts", db_index=False, verbose_name=_("author")
    )
    body = models.CharField(
        _("text"), max_length=POST_LENGTH, validators=[ProhibitNullCharactersValidator()]
    )
    # Python's clock, because SQLite's own has milliseconds only.
    created_at = models.DateTimeField(_("written at"), default=timezone.now, editable=False)
    edited_at = models.DateTimeField(_("edited at"), null=True, blank=True, editable=False)

    hidden_at = models.DateTimeField(_("hidden at"), null=True, blank=True, editable=False)
    hidden_by = models.ForeignKey(
        User,
        models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        editable=False,
        verbose_name=_("hidden by"),
    )
    hidden_reason = models.CharField(
        _("reason for hiding"), max_length=HIDDEN_REASON_LENGTH, blank=True, db_default=""
    )

    mentions: Mapping[str, str] = MappingProxyType({})
    """Names that the text may mention and that exist, once `mentions.attach` has looked."""

    objects = PostQuerySet.as_manager()

    class Meta:
        verbose_name = _("post")
        verbose_name_plural = _("posts")
        indexes = [
            # One author's posts: the archive reads it forwards, the profile and the timeline backwards. With
            # `hidden_at`, the timeline and the count on a profile read nothing else.
            models.Index(
                fields=["author", "created_at", "id", "hidden_at"], name="blog_post_author"
            ),
            # Everyone's newest posts: the explore page.
            models.Index(fields=["-created_at", "-id"], name="blog_post_newest"),
        ]

    def __str__(self) -> str:
        return self.body if len(self.body) <= 50 else f"{self.body[:49]}…"

    def get_absolute_url(self) -> str:
        return path_to("post-detail", self.pk)

    def hide(self, staff: User, reason: str) -> None:
        """Keep the post from everyone but its author, who reads the reason."""
        self.hidden_at, self.hidden_by, self.hidden_reason = timezone.now(), staff, reason
        self._save_hidden()

    def unhide(self) -> None:
        self.hidden_at, self.hidden_by, self.hidden_reason = None, None, ""
        self._save_hidden()

    def _save_hidden(self) -> None:
        self.save(update_fields=["hidden_at", "hidden_by", "hidden_reason"])
