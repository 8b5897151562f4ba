"""Blocks and mutes between users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from .user import User


def unblocked(viewer: User | AnonymousUser, field: str) -> Q:
    """Return the condition that no block exists between the viewer and the user in `field`."""
    if viewer.pk is None:
        return Q()
    by_viewer = Block.objects.filter(blocker=viewer.pk, blocked=OuterRef(field))
    of_viewer = Block.objects.filter(blocker=OuterRef(field), blocked=viewer.pk)
    return Q(~Exists(by_viewer)) & Q(~Exists(of_viewer))


def unmuted(viewer: User | AnonymousUser, field: str) -> Q:
    """Return the condition that the viewer has not muted the user in `field`."""
    if viewer.pk is None:
        return Q()
    return Q(~Exists(Mute.objects.filter(muter=viewer.pk, muted=OuterRef(field))))


class BlockQuerySet(models.QuerySet["Block"]):
    def between(self, user: User, other: User) -> BlockQuerySet:
        return self.filter(Q(blocker=user, blocked=other) | Q(blocker=other, blocked=user))

    def block(self, blocker: User, blocked: User) -> None:
        """Block a user and end following in both directions."""
        with transaction.atomic():
            # Lock both users, so that a concurrent follow waits and then finds the block. Lock in
            # primary-key order, so that two concurrent blocks cannot deadlock.
            users = get_user_model().objects.filter(pk__in=[blocker.pk, blocked.pk])
            list(users.order_by("pk").select_for_update(no_key=True))
            self.get_or_create(blocker=blocker, blocked=blocked)
            blocker.following.filter(followed=blocked).delete()
            blocker.followers.filter(follower=blocked).delete()


class Block(models.Model):
    """Block of one user by another. Neither sees the other."""

    blocker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="blocks",
        db_index=False,
        verbose_name=_("by"),
    )
    blocked = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="blocked_by",
        db_index=False,
        verbose_name=_("blocked person"),
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = BlockQuerySet.as_manager()

    class Meta:
        verbose_name = _("block")
        verbose_name_plural = _("blocks")
        constraints = [
            models.UniqueConstraint(fields=["blocker", "blocked"], name="blog_block_once"),
            models.CheckConstraint(
                condition=~Q(blocker=models.F("blocked")), name="blog_block_not_self"
            ),
        ]
        indexes = [
            # unblocked(): checked for each row of a list.
            models.Index(fields=["blocked", "blocker"], name="blog_block_reverse"),
            # The block list of a user, newest first.
            models.Index(fields=["blocker", "created_at", "id"], name="blog_block_list"),
        ]

    def __str__(self) -> str:
        return f"{self.blocker} ⊘ {self.blocked}"


class Mute(models.Model):
    """Mute of one user by another, who is not notified."""

    muter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="mutes",
        db_index=False,
        verbose_name=_("by"),
    )
    muted = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="muted_by",
        verbose_name=_("muted person"),
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("mute")
        verbose_name_plural = _("mutes")
        constraints = [
            models.UniqueConstraint(fields=["muter", "muted"], name="blog_mute_once"),
            models.CheckConstraint(
                condition=~Q(muter=models.F("muted")), name="blog_mute_not_self"
            ),
        ]
        indexes = [
            # The mute list of a user, newest first.
            models.Index(fields=["muter", "created_at", "id"], name="blog_mute_list")
        ]

    def __str__(self) -> str:
        return f"{self.muter} – {self.muted}"
