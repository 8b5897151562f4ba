from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

STEPS = 20


class SelfTest(models.Model):
    """Test of database, queue, worker, progress and mail; each one that works fills a field."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    mail_to = models.EmailField(_("mail to"))
    created_at = models.DateTimeField(_("begun at"), db_default=Now())
    started_at = models.DateTimeField(_("a worker began at"), null=True)
    steps_done = models.PositiveIntegerField(_("steps done"), default=0)
    mailed_at = models.DateTimeField(_("mailed at"), null=True)
    mail_error = models.TextField(_("error of the mail"), blank=True)
    verdict = models.TextField(_("verdict"), blank=True)
    passed = models.BooleanField(_("passed"), null=True)

    class Meta:
        verbose_name = _("self-test")
        verbose_name_plural = _("self-tests")
        ordering = ("-created_at",)
        indexes = [
            # The latest test, and old tests to prune.
            models.Index(fields=["created_at"], name="staff_selftest_age")
        ]

    def __str__(self) -> str:
        return self.verdict or str(self.pk)

    @property
    def job_id(self) -> str:
        return f"selftest-{self.pk}"

    def record_progress(self, steps: int) -> bool:
        """Save the progress; return whether the row exists, as a Heartbeat expects of `renew`."""
        return type(self).objects.filter(pk=self.pk).update(steps_done=steps) == 1
