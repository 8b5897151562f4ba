"""Errors and events of exports, and the purposes of their mails."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ErrorCode(TextChoices):
    """Reason of a failure, as shown to the owner."""

    CRASHED = "CRASHED", _("It was interrupted three times. You can try again.")
    TIMEOUT = "TIMEOUT", _("It exceeded the time limit.")
    DISK_FULL = "DISK_FULL", _("We're out of disk space. Please try again later.")
    DAMAGED = (
        "DAMAGED",
        _("The file was damaged or lost. You can request a new export right away."),
    )
    ERROR = "ERROR", _("Something went wrong on our side. Please try again later.")


class Event(TextChoices):
    """The core's events in the words of exports, and those that only exports have."""

    REQUESTED = "REQUESTED", _("Requested")
    CLAIMED = "CLAIMED", _("Started")
    REQUEUED = "REQUEUED", _("Requeued")
    RESCUED = "RESCUED", _("Interrupted; will be retried")
    FINISHED = "FINISHED", _("Archive created")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")
    MAILED = "MAILED", _("Email sent")
    MAIL_FAILED = "MAIL_FAILED", _("Email couldn't be sent")
    BOUNCED = "BOUNCED", _("The email provider rejected the email")
    RESENT = "RESENT", _("Email resend requested")
    DOWNLOADED = "DOWNLOADED", _("Downloaded")
    EXPIRED = "EXPIRED", _("Archive deleted")


class Purpose(TextChoices):
    ARCHIVE = "ARCHIVE", _("archive")
    FAILURE = "FAILURE", _("failure notice")
