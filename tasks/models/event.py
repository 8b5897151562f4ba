from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .status import TaskEventKind


class TaskEvent(models.Model):
    """An entry in a task's timeline. Rows are added, never changed.

    A concrete class adds `task`, a foreign key with the related name `events`.
    """

    kind = models.CharField(_("event"), max_length=16, choices=TaskEventKind)
    attempt = models.PositiveIntegerField(_("attempt"))
    created_at = models.DateTimeField(_("time"), db_default=Now())
    # Staff member who caused the event; NULL for the owner and for the system.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("by"),
    )

    class Meta:
        abstract = True
        ordering = ("created_at", "id")
        indexes = [
            # The timeline of one task.
            models.Index(fields=["task", "created_at"], name="%(app_label)s_%(class)s_task"),
            # The sweeper: events to prune.
            models.Index(fields=["created_at"], name="%(app_label)s_%(class)s_age"),
            # Events to detach when a staff account is deleted.
            models.Index(
                fields=["actor"],
                condition=Q(actor__isnull=False),
                name="%(app_label)s_%(class)s_actor",
            ),
        ]

    def __str__(self) -> str:
        return str(self.kind)
