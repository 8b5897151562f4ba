"""Who reads whom."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .user import User


class Follow(models.Model):
    """One person reads another."""

    follower = models.ForeignKey(
        User, models.CASCADE, related_name="following", db_index=False, verbose_name=_("follower")
    )
    followed = models.ForeignKey(
        User, models.CASCADE, related_name="followers", db_index=False, verbose_name=_("followed")
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("follow")
        verbose_name_plural = _("follows")
        constraints = [
            # Its index also says whom somebody follows: the timeline reads nothing else of this table.
            models.UniqueConstraint(fields=["follower", "followed"], name="blog_follow_once"),
            models.CheckConstraint(
                condition=~models.Q(follower=models.F("followed")), name="blog_follow_not_self"
            ),
        ]
        indexes = [
            # Whom somebody follows, newest first, and how many they are.
            models.Index(fields=["follower", "created_at", "id"], name="blog_follow_following"),
            # Who follows somebody, newest first, and how many they are.
            models.Index(fields=["followed", "created_at", "id"], name="blog_follow_followers"),
        ]

    def __str__(self) -> str:
        return f"{self.follower} → {self.followed}"
