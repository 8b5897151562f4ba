"""Posts and their visibility."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models.expressions import RawSQL
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from ..pagination import PAGE_SIZE, parse_cursor
from . import timeline
from .block import Mute, unblocked, unmuted

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from .user import User

MAX_POST_LENGTH = 500  # Unicode code points, as Python counts
MAX_IMPORTED_LENGTH = 10_000
MAX_SOURCE_ID_LENGTH = 500
MAX_SOURCE_URL_LENGTH = 2_000
MAX_HIDDEN_REASON_LENGTH = 280


source_labels: dict[str, StrOrPromise] = {}
"""Names of the services that posts can be imported from. `imports` registers them."""


class PostQuerySet(models.QuerySet["Post"]):
    def published(self) -> PostQuerySet:
        return self.filter(hidden_at=None, author__is_active=True)

    def visible_to(self, viewer: User | AnonymousUser) -> PostQuerySet:
        """Filter the posts that the viewer may open, including their own hidden ones."""
        is_visible = models.Q(hidden_at=None) | models.Q(author=viewer.pk)
        return self.filter(is_visible, unblocked(viewer, "author"), author__is_active=True)

    def suggested_to(self, viewer: User | AnonymousUser) -> PostQuerySet:
        """Filter the posts to show the viewer unasked: none of blocked or muted authors."""
        return self.published().filter(unblocked(viewer, "author"), unmuted(viewer, "author"))

    def with_author(self, viewer: User | AnonymousUser) -> PostQuerySet:
        muted = models.Exists(Mute.objects.filter(muter=viewer.pk, muted=models.OuterRef("author")))
        return self.select_related("author").annotate(is_author_muted=muted)

    def timeline_of(self, user: User, before: str | None, size: int = PAGE_SIZE) -> PostQuerySet:
        """Return a page of the home timeline, newest first, and one post more.

        The posts are those of the user and of the users they follow.
        """
        sql, params = timeline.build_query(user.pk, parse_cursor(before, Post), size + 1)
        return self.filter(pk__in=RawSQL(sql, params)).newest_first()  # noqa: S611 - bound params

    def written_here(self) -> PostQuerySet:
        """Exclude imported posts, which are new to the site, but not to readers."""
        return self.filter(source="")

    def newest_first(self) -> PostQuerySet:
        return self.order_by("-created_at", "-id")

    def oldest_first(self) -> PostQuerySet:
        return self.order_by("created_at", "id")


class Post(models.Model):
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="posts",
        db_index=False,
        verbose_name=_("author"),
    )
    body = models.CharField(
        _("text"), max_length=MAX_IMPORTED_LENGTH, validators=[ProhibitNullCharactersValidator()]
    )
    # SQLite's clock has only milliseconds, so use Python's.
    created_at = models.DateTimeField(_("written at"), default=timezone.now, editable=False)
    edited_at = models.DateTimeField(_("edited at"), null=True, blank=True, editable=False)

    hidden_at = models.DateTimeField(_("hidden at"), null=True, blank=True, editable=False)
    hidden_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        editable=False,
        verbose_name=_("hidden by"),
    )
    hidden_reason = models.CharField(
        _("reason for hiding"), max_length=MAX_HIDDEN_REASON_LENGTH, blank=True, db_default=""
    )

    # Of imported posts alone: name of the service, its id of the post, its page of it, and the id
    # of the import that wrote the post.
    source = models.CharField(
        _("source"), max_length=32, blank=True, editable=False, default="", db_default=""
    )
    source_id = models.CharField(
        _("id at the source"),
        max_length=MAX_SOURCE_ID_LENGTH,
        blank=True,
        editable=False,
        default="",
        db_default="",
    )
    source_url = models.CharField(
        _("page at the source"),
        max_length=MAX_SOURCE_URL_LENGTH,
        blank=True,
        editable=False,
        default="",
        db_default="",
    )
    import_id = models.UUIDField(_("import"), null=True, blank=True, editable=False)

    # Usernames that the body mentions, by their lower case. `blog.linkify` fills it.
    mentions: Mapping[str, str] = MappingProxyType({})

    objects = PostQuerySet.as_manager()

    class Meta:
        verbose_name = _("post")
        verbose_name_plural = _("posts")
        indexes = [
            # The posts of one author: the archive reads it forwards, the profile and the timeline
            # backwards. `hidden_at` makes it covering for the timeline and the count on a profile.
            models.Index(
                fields=["author", "created_at", "id", "hidden_at"], name="blog_post_author"
            ),
            # The explore page: the newest posts of all authors.
            models.Index(fields=["-created_at", "-id"], name="blog_post_newest"),
            # The posts of one import, to undo or hide it.
            models.Index(
                fields=["import_id"],
                condition=models.Q(import_id__isnull=False),
                name="blog_post_import",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["author", "source", "source_id"],
                condition=~models.Q(source=""),
                name="blog_post_source",
            ),
        ]

    def __str__(self) -> str:
        return self.body if len(self.body) <= 50 else f"{self.body[:49]}…"

    def get_absolute_url(self) -> str:
        return reverse("post-detail", args=[self.pk])

    @property
    def source_label(self) -> str:
        return str(source_labels.get(self.source, self.source))

    def hide(self, staff: User, reason: str) -> None:
        self.hidden_at, self.hidden_by, self.hidden_reason = timezone.now(), staff, reason
        self.save(update_fields=["hidden_at", "hidden_by", "hidden_reason"])

    def unhide(self) -> None:
        self.hidden_at, self.hidden_by, self.hidden_reason = None, None, ""
        self.save(update_fields=["hidden_at", "hidden_by", "hidden_reason"])
