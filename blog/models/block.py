"""Whom people keep away from, and whom they would rather not hear of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .follow import Follow
from .user import User

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


def unblocked(viewer: User | AnonymousUser, person: str) -> Q:
    """The condition that neither the viewer nor whom the field `person` leads to has blocked the other."""
    if viewer.pk is None:
        return Q()
    by_viewer = Block.objects.filter(blocker=viewer.pk, blocked=OuterRef(person))
    by_person = Block.objects.filter(blocker=OuterRef(person), blocked=viewer.pk)
    return Q(~Exists(by_viewer)) & Q(~Exists(by_person))


def unmuted(viewer: User | AnonymousUser, person: str) -> Q:
    """The condition that the viewer has not muted whom the field `person` leads to."""
    if viewer.pk is None:
        return Q()
    return Q(~Exists(Mute.objects.filter(muter=viewer.pk, muted=OuterRef(person))))


class BlockQuerySet(models.QuerySet["Block"]):
    def between(self, one: User, other: User) -> BlockQuerySet:
        """Those of either by the other."""
        return self.filter(Q(blocker=one, blocked=other) | Q(blocker=other, blocked=one))

    def put(self, blocker: User, blocked: User) -> None:
        """Let neither see the other from now on; neither follows the other any more."""
        with transaction.atomic():
            people = User.objects.filter(pk__in=[blocker.pk, blocked.pk]).order_by("pk")
            list(
                people.select_for_update(no_key=True)
            )  # whoever follows one of them meanwhile waits
            self.get_or_create(blocker=blocker, blocked=blocked)
            between = Q(follower=blocker, followed=blocked) | Q(follower=blocked, followed=blocker)
            Follow.objects.filter(between).delete()


class Block(models.Model):
    """Neither of two people sees the other; one of them wanted it so."""

    blocker = models.ForeignKey(
        User, models.CASCADE, related_name="blocks", db_index=False, verbose_name=_("by")
    )
    blocked = models.ForeignKey(
        User,
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
            # Whether somebody has blocked the reader: asked for every row of a list.
            models.Index(fields=["blocked", "blocker"], name="blog_block_reverse"),
            # Whom somebody has blocked, newest first.
            models.Index(fields=["blocker", "created_at", "id"], name="blog_block_list"),
        ]

    def __str__(self) -> str:
        return f"{self.blocker} ⊘ {self.blocked}"


class Mute(models.Model):
    """One person comes across another no more, who is not told."""

    muter = models.ForeignKey(
        User, models.CASCADE, related_name="mutes", db_index=False, verbose_name=_("by")
    )
    muted = models.ForeignKey(
        User, models.CASCADE, related_name="muted_by", verbose_name=_("muted person")
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
            # Whom somebody has muted, newest first.
            models.Index(fields=["muter", "created_at", "id"], name="blog_mute_list")
        ]

    def __str__(self) -> str:
        return f"{self.muter} – {self.muted}"
