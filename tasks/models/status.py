"""States, events and errors of tasks."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Status(TextChoices):
    READY = "READY", _("Waiting")
    RUNNING = "RUNNING", _("Running")
    SUCCESSFUL = "SUCCESSFUL", _("Finished")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")


UNFINISHED_STATUSES = (Status.READY, Status.RUNNING)


class TaskEventKind(TextChoices):
    """Events that every kind of task records. A concrete task may add its own."""

    REQUESTED = "REQUESTED", _("Requested")
    CLAIMED = "CLAIMED", _("A worker began")
    REQUEUED = "REQUEUED", _("Put on the queue again")
    RESCUED = "RESCUED", _("The work was interrupted and will be tried again")
    FINISHED = "FINISHED", _("Finished")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")
    MAILED = "MAILED", _("The e-mail was sent")
    MAIL_FAILED = "MAIL_FAILED", _("The e-mail could not be sent")


class CoreError(TextChoices):
    """Errors that the core gives a task. A concrete task may add its own codes."""

    CRASHED = "CRASHED", _("The work was interrupted three times. We are looking into it.")
    TIMEOUT = "TIMEOUT", _("It took longer than it may take.")
    ERROR = "ERROR", _("Something went wrong on our side. We have been told about it.")


class TaskFailed(Exception):
    """The work cannot succeed; `code` says why to the owner. Not retried.

    `is_expected` marks a reason that lies with the owner, so ADMINS get no mail about it.
    """

    def __init__(self, code: str, *, is_expected: bool = False) -> None:
        self.code, self.is_expected = code, is_expected
        super().__init__(code)
