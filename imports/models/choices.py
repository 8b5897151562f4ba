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
    CLAIMED = "CLAIMED", _("A worker began")
    REQUEUED = "REQUEUED", _("Put on the queue again")
    RESCUED = "RESCUED", _("The work was interrupted and will be tried again")
    PREVIEWED = "PREVIEWED", _("The preview is ready")
    CONFIRMED = "CONFIRMED", _("You confirmed the import")
    FINISHED = "FINISHED", _("The posts were imported")
    UNDO_REQUESTED = "UNDO_REQUESTED", _("You asked to undo the import")
    UNDONE = "UNDONE", _("The import was undone")
    DISCARDED = "DISCARDED", _("The upload was discarded")
    EXPIRED = "EXPIRED", _("The upload was removed because nobody confirmed it")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")
