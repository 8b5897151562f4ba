"""What the site has to tell a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.db.models.functions import Now

from .block import unblocked, unmuted
from .clock import Moment
from .compiled_query import Prepared
from .post import Post
from .user import NOBODY, User

NEVER = datetime.max.replace(tzinfo=UTC)


class NotificationQuerySet(models.QuerySet["Notification"]):
    def put(
        self,
        user_id: int,
        name: str,
        payload: dict[str, Any],
        *,
        actor: User | None = None,
        post: Post | None = None,
        is_news: bool = True,
    ) -> None:
        """Tell the person; what they were told before under the same name is replaced, and unread again."""
        told = Notification(
            user_id=user_id,
            name=name,
            payload=payload,
            actor=actor,
            post=post,
            is_news=is_news,
            updated_at=Moment(),
        )
        self.bulk_create(
            [told],
            update_conflicts=True,
            unique_fields=["user", "name"],
            update_fields=["payload", "actor", "post", "is_news", "updated_at", "read_at"],
        )

    def put_once(
        self,
        user_id: int,
        name: str,
        payload: dict[str, Any],
        *,
        actor: User | None = None,
        post: Post | None = None,
    ) -> bool:
        """Tell the person, unless they were told under the same name before: then False."""
        told = {"payload": payload, "actor": actor, "post": post, "updated_at": Moment()}
        return self.get_or_create(user_id=user_id, name=name, defaults=told)[1]

    def visible_to(self, reader: User) -> NotificationQuerySet:
        """Without what blocked, muted or closed accounts did, and without posts of others that staff hid."""
        nobody = models.Q(actor=None)
        somebody = (
            models.Q(actor__is_active=True) & unblocked(reader, "actor") & unmuted(reader, "actor")
        )
        shown = models.Q(post__hidden_at=None) | models.Q(post__author=reader.pk)
        return self.filter(nobody | somebody, shown)

    def news(self) -> NotificationQuerySet:
        """Without progress, which moves a bar and is nothing to read."""
        return self.filter(is_news=True)

    def told(self, reader: User, since: datetime) -> list[Notification]:
        """What the reader was told since then and may see, oldest first. Every open page asks all the time."""
        return list(_told(reader.pk, since))

    def announced_to(self, reader: User) -> NotificationQuerySet:
        """The unread news; not that there are messages, which have a number of their own."""
        return (
            self.filter(user=reader.pk)
            .news()
            .unread()
            .visible_to(reader)
            .exclude(name__startswith="message:")
        )

    def unread(self) -> NotificationQuerySet:
        return self.filter(read_at=None)

    def mark_read(self) -> None:
        # Looked for first: on SQLite even an UPDATE of nothing waits for every other writer.
        if self.unread().exists():
            self.unread().update(read_at=Now())


class Notification(models.Model):
    """What the site last told a person under one name, such as `export:<id>`; `blog.notifications` has the words."""

    user = models.ForeignKey(User, models.CASCADE, related_name="notifications", db_index=False)
    name = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)
    actor = models.ForeignKey(User, models.CASCADE, related_name="+", null=True)
    """Whose doing it tells of, where it is a person's."""
    post = models.ForeignKey(Post, models.CASCADE, related_name="+", null=True)
    is_news = models.BooleanField(default=True, db_default=True)
    updated_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="blog_notification_name")
        ]
        indexes = [
            # What changed for this person since they last asked, and the pages of all of it.
            models.Index(fields=["user", "updated_at", "id"], name="blog_notification_recent"),
            # The number of unread ones, on every page.
            models.Index(
                fields=["user"],
                condition=models.Q(read_at=None, is_news=True),
                name="blog_notification_unread",
            ),
        ]

    def __str__(self) -> str:
        return self.name


def _told_to(pk: int, since: datetime) -> NotificationQuerySet:
    return (
        Notification.objects.filter(user=pk, updated_at__gte=since)
        .visible_to(User(pk=pk))
        .order_by("updated_at")
    )


_told = Prepared(_told_to, NOBODY, NEVER)
