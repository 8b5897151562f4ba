"""Following between users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .block import Block

if TYPE_CHECKING:
    from .user import User


class FollowManager(models.Manager["Follow"]):
    def follow(self, follower: User, followed: User) -> None:
        """Follow a user and notify them, unless already followed or a block is in the way."""
        from ..notifications import notify_follow  # a circular import otherwise

        with transaction.atomic():
            # Lock the user: a concurrent block either waits for us or is visible to the check.
            users = get_user_model().objects.select_for_update(no_key=True)
            if users.filter(pk=followed.pk, is_active=True).first() is None:
                return
            if Block.objects.between(follower, followed).exists():
                return
            follow, is_new = self.get_or_create(follower=follower, followed=followed)
            if is_new:
                notify_follow(follow)

    def unfollow(self, follower: User, followed: User) -> None:
        self.filter(follower=follower, followed=followed).delete()


class Follow(models.Model):
    follower = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="following",
        db_index=False,
        verbose_name=_("follower"),
    )
    followed = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="followers",
        db_index=False,
        verbose_name=_("followed"),
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = FollowManager()

    class Meta:
        verbose_name = _("follow")
        verbose_name_plural = _("follows")
        constraints = [
            # Its index also serves the timeline, which reads nothing else of this table.
            models.UniqueConstraint(fields=["follower", "followed"], name="blog_follow_once"),
            models.CheckConstraint(
                condition=~models.Q(follower=models.F("followed")), name="blog_follow_not_self"
            ),
        ]
        indexes = [
            # The followed users of a user, newest first, and their number.
            models.Index(fields=["follower", "created_at", "id"], name="blog_follow_following"),
            # The followers of a user, newest first, and their number.
            models.Index(fields=["followed", "created_at", "id"], name="blog_follow_followers"),
        ]

    def __str__(self) -> str:
        return f"{self.follower} → {self.followed}"
