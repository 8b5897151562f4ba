"""Phases, errors and events of imports."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from tasks.models import CoreError

from ..archives import Problem

# The owner is told why an upload is refused in the words of the reader.
ErrorCode = [*CoreError.choices, *Problem.choices]


class Phase(TextChoices):
    PREVIEW = "PREVIEW", _("Preview")
    IMPORT = "IMPORT", _("Import")
    UNDO = "UNDO", _("Undo")


class Event(TextChoices):
    """The core's events in the words of imports, and those that only imports have."""

    REQUESTED = "REQUESTED", _("Uploaded")
    CLAIMED = "CLAIMED", _("Started")
    REQUEUED = "REQUEUED", _("Requeued")
    RESCUED = "RESCUED", _("Interrupted; will be retried")
    PREVIEWED = "PREVIEWED", _("Preview ready")
    CONFIRMED = "CONFIRMED", _("Import confirmed")
    FINISHED = "FINISHED", _("Posts imported")
    UNDO_REQUESTED = "UNDO_REQUESTED", _("Undo requested")
    UNDONE = "UNDONE", _("Import undone")
    DISCARDED = "DISCARDED", _("Upload discarded")
    EXPIRED = "EXPIRED", _("Upload deleted because nobody confirmed it")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")
