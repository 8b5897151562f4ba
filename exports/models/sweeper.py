from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .clock import from_now


class SweeperSignQuerySet(models.QuerySet["SweeperSign"]):
    def within(self, seconds: float) -> SweeperSignQuerySet:
        return self.filter(seen_at__gte=from_now(-seconds))

    def renew(self) -> None:
        self.bulk_create(
            [SweeperSign(pk=1, seen_at=Now())],
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=["seen_at"],
        )


class SweeperSign(models.Model):
    """When a sweeper last went its round: one row, whichever machine it ran on."""

    seen_at = models.DateTimeField(_("seen at"), db_default=Now())

    objects = SweeperSignQuerySet.as_manager()

    class Meta:
        verbose_name = _("sign of the sweeper")
        verbose_name_plural = _("signs of the sweeper")

    def __str__(self) -> str:
        return str(self.seen_at)
