from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .clock import from_now


class SweeperHeartbeatQuerySet(models.QuerySet["SweeperHeartbeat"]):
    def within(self, seconds: float) -> SweeperHeartbeatQuerySet:
        return self.filter(last_heartbeat_at__gte=from_now(-seconds))

    def record_heartbeat(self) -> None:
        self.bulk_create(
            [SweeperHeartbeat(pk=1, last_heartbeat_at=Now())],
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=["last_heartbeat_at"],
        )


class SweeperHeartbeat(models.Model):
    """Time of the last sweep on any host, in one row."""

    last_heartbeat_at = models.DateTimeField(_("seen at"), db_default=Now())

    objects = SweeperHeartbeatQuerySet.as_manager()

    class Meta:
        verbose_name = _("sweeper heartbeat")
        verbose_name_plural = _("sweeper heartbeats")

    def __str__(self) -> str:
        return str(self.last_heartbeat_at)
