from django.db import models
from django.utils.translation import gettext_lazy as _

from tasks.models import TaskEvent

from .choices import Event


class ImportEvent(TaskEvent):
    """Entry in the timeline of an import."""

    task = models.ForeignKey(
        "imports.ImportTask", models.CASCADE, related_name="events", db_index=False
    )
    kind = models.CharField(_("event"), max_length=16, choices=Event)

    class Meta(TaskEvent.Meta):
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return self.get_kind_display()
