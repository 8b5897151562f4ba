from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Status(TextChoices):
    READY = "READY", _("Waiting")
    RUNNING = "RUNNING", _("Being built")
    SUCCESSFUL = "SUCCESSFUL", _("Finished")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")


UNFINISHED = (Status.READY, Status.RUNNING)


class ErrorCode(TextChoices):
    """Why an export failed, in words for its owner."""

    CRASHED = "CRASHED", _("The work was interrupted three times. We are looking into it.")
    TIMEOUT = "TIMEOUT", _("It took longer than an export may take.")
    DISK_FULL = (
        "DISK_FULL",
        _("We are short of disk space. We have been told; please try again later."),
    )
    ERROR = "ERROR", _("Something went wrong on our side. We have been told about it.")
