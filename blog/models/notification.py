"""Notifications of a user, one row for each name."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models.functions import Now
from django.db.models.sql.compiler import SQLCompiler

from .block import unblocked, unmuted
from .compiled_query import PK_PLACEHOLDER, TIME_PLACEHOLDER, CompiledQuery
from .post import Post

if TYPE_CHECKING:
    from .user import User


MAX_CHANGES = 50  # rows of one poll, or twice as many if others flood it
MAX_FROM_OTHERS = 1000  # rows that a user keeps of those that other users cause
PRUNE_BATCH_SIZE = 500  # rows per DELETE


class SortableNow(Now):
    """Database clock in the format of Django's times. SQLite compares times as text."""

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **context: Any) -> Any:
        template = "STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW')"
        return self.as_sql(compiler, connection, template=template, **context)


class NotificationQuerySet(models.QuerySet["Notification"]):
    def upsert(
        self,
        user_id: int,
        name: str,
        payload: dict[str, Any],
        *,
        actor: User | None = None,
        post: Post | None = None,
        is_listed: bool = True,
    ) -> None:
        """Create the user's notification of this name, or replace it and mark it unread."""
        notification = Notification(
            user_id=user_id,
            name=name,
            payload=payload,
            actor=actor,
            post=post,
            is_listed=is_listed,
            updated_at=SortableNow(),
        )
        self.bulk_create(
            [notification],
            update_conflicts=True,
            unique_fields=["user", "name"],
            update_fields=["payload", "actor", "post", "is_listed", "updated_at", "read_at"],
        )
        if actor:
            self._prune(user_id)

    def create_once(
        self,
        user_id: int,
        name: str,
        payload: dict[str, Any],
        *,
        actor: User | None = None,
        post: Post | None = None,
    ) -> bool:
        """Create the notification and return True; return False if the name exists already."""
        defaults = {"payload": payload, "actor": actor, "post": post, "updated_at": SortableNow()}
        is_new = self.get_or_create(user_id=user_id, name=name, defaults=defaults)[1]
        if is_new and actor:
            self._prune(user_id)
        return is_new

    def _prune(self, user_id: int) -> None:
        """Delete the oldest rows that other users caused, beyond MAX_FROM_OTHERS.

        Each new row deletes a batch, so no user's rows grow without bound between sweeps.
        """
        from_others = self.filter(user=user_id).exclude(actor=None)
        excess = from_others.order_by("-updated_at", "-id").values_list("pk", flat=True)
        pks = list(excess[MAX_FROM_OTHERS : MAX_FROM_OTHERS + PRUNE_BATCH_SIZE])
        if pks:
            with transaction.atomic():
                # Skip locked rows: two concurrent DELETEs of the same rows could deadlock.
                rows = self.filter(pk__in=pks).select_for_update(skip_locked=True, of=["self"])
                self.filter(pk__in=list(rows.values_list("pk", flat=True))).delete()

    def visible_to(self, user: User) -> NotificationQuerySet:
        actor_is_visible = (
            models.Q(actor__is_active=True) & unblocked(user, "actor") & unmuted(user, "actor")
        )
        post_is_visible = models.Q(post__hidden_at=None) | models.Q(post__author=user.pk)
        return self.filter(models.Q(actor=None) | actor_is_visible, post_is_visible)

    def listed(self) -> NotificationQuerySet:
        """Exclude progress, which only moves a bar."""
        return self.filter(is_listed=True)

    def changed_since(self, user: User, since: datetime) -> list[Notification]:
        """Return the newest changes, oldest first: MAX_CHANGES, and as many without an actor.

        Other users can fill the first MAX_CHANGES, but not hide the end of an export.
        """
        rows = {row.pk: row for row in _changed_since(user.pk, since)}
        if len(rows) == MAX_CHANGES:
            own = _changed_since_query(user.pk, since).filter(actor=None)
            rows |= {row.pk: row for row in own[:MAX_CHANGES]}
        return sorted(rows.values(), key=lambda row: row.updated_at)

    def unread_for(self, user: User) -> NotificationQuerySet:
        """Filter the user's unread notifications, except new messages, which are counted apart."""
        return (
            self.filter(user=user.pk)
            .listed()
            .unread()
            .visible_to(user)
            .exclude(name__startswith="message:")
        )

    def unread(self) -> NotificationQuerySet:
        return self.filter(read_at=None)

    def mark_read(self) -> None:
        # On SQLite even an UPDATE of no rows takes the write lock, so look first.
        if self.unread().exists():
            self.unread().update(read_at=Now())


class Notification(models.Model):
    """Last notification under a name such as `export:<id>`. `blog.notifications` renders it."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="notifications", db_index=False
    )
    name = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)
    # The user whose action caused the notification, if any.
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", null=True)
    post = models.ForeignKey(Post, models.CASCADE, related_name="+", null=True)
    is_listed = models.BooleanField(default=True, db_default=True)
    updated_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="blog_notification_name")
        ]
        indexes = [
            # The changes since a browser's last poll, and the pages of the notification list.
            models.Index(fields=["user", "updated_at", "id"], name="blog_notification_recent"),
            # The unread count on every page.
            models.Index(
                fields=["user"],
                condition=models.Q(read_at=None, is_listed=True),
                name="blog_notification_unread",
            ),
        ]

    def __str__(self) -> str:
        return self.name


def _changed_since_query(user_pk: int, since: datetime) -> NotificationQuerySet:
    user = get_user_model()(pk=user_pk)
    changed = Notification.objects.filter(user=user_pk, updated_at__gte=since)
    return changed.visible_to(user).order_by("-updated_at", "-id")


_changed_since = CompiledQuery(
    lambda user_pk, since: _changed_since_query(user_pk, since)[:MAX_CHANGES],
    PK_PLACEHOLDER,
    TIME_PLACEHOLDER,
)
