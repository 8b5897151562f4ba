"""Errors and events of exports, and the purposes of their mails."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ErrorCode(TextChoices):
    """Reason of a failure, as shown to the owner."""

    CRASHED = "CRASHED", _("The work was interrupted three times. We are looking into it.")
    TIMEOUT = "TIMEOUT", _("It took longer than an export may take.")
    DISK_FULL = (
        "DISK_FULL",
        _("We are short of disk space. We have been told; please try again later."),
    )
    ERROR = "ERROR", _("Something went wrong on our side. We have been told about it.")


class Event(TextChoices):
    """The core's events in the words of exports, and those that only exports have."""

    REQUESTED = "REQUESTED", _("Requested")
    CLAIMED = "CLAIMED", _("A worker began")
    REQUEUED = "REQUEUED", _("Put on the queue again")
    RESCUED = "RESCUED", _("The work was interrupted and will be tried again")
    FINISHED = "FINISHED", _("The archive was built")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")
    MAILED = "MAILED", _("The e-mail was sent")
    MAIL_FAILED = "MAIL_FAILED", _("The e-mail could not be sent")
    BOUNCED = "BOUNCED", _("The mail provider refused the e-mail")
    RESENT = "RESENT", _("Another e-mail was ordered")
    DOWNLOADED = "DOWNLOADED", _("Downloaded")
    EXPIRED = "EXPIRED", _("The archive was removed")


class Purpose(TextChoices):
    ARCHIVE = "ARCHIVE", _("the archive")
    FAILURE = "FAILURE", _("news of a failure")
