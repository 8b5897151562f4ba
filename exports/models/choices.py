"""States, errors and events of exports and their mails."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Status(TextChoices):
    READY = "READY", _("Waiting")
    RUNNING = "RUNNING", _("Being built")
    SUCCESSFUL = "SUCCESSFUL", _("Finished")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")


UNFINISHED_STATUSES = (Status.READY, Status.RUNNING)


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
    REQUESTED = "REQUESTED", _("Requested")
    CLAIMED = "CLAIMED", _("A worker began")
    REQUEUED = "REQUEUED", _("Put on the queue again")
    RESCUED = "RESCUED", _("The work was interrupted and will be tried again")
    BUILT = "BUILT", _("The archive was built")
    FAILED = "FAILED", _("Failed")
    MAILED = "MAILED", _("The e-mail was sent")
    MAIL_FAILED = "MAIL_FAILED", _("The e-mail could not be sent")
    BOUNCED = "BOUNCED", _("The mail provider refused the e-mail")
    RESENT = "RESENT", _("Another e-mail was ordered")
    DOWNLOADED = "DOWNLOADED", _("Downloaded")
    CANCELLED = "CANCELLED", _("Cancelled")
    EXPIRED = "EXPIRED", _("The archive was removed")


class Purpose(TextChoices):
    ARCHIVE = "ARCHIVE", _("the archive")
    FAILURE = "FAILURE", _("news of a failure")


class MailStatus(TextChoices):
    PENDING = "PENDING", _("Waiting to be sent")
    SENDING = "SENDING", _("Being sent")
    SENT = "SENT", _("Sent")
    GAVE_UP = "GAVE_UP", _("Given up")


UNSENT_STATUSES = (MailStatus.PENDING, MailStatus.SENDING)
