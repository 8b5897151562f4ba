"""Admin pages of tasks and mails: every state is shown, no row can be edited.

A kind of task or mail without an admin of its own gets these. A subclass adds what only its kind
has: columns, filters, actions, findings of the diagnosis, facts of the overview.
"""

from .base import Details, format_time
from .mails import MailAdmin
from .tasks import TaskAdmin

__all__ = ["Details", "MailAdmin", "TaskAdmin", "format_time"]
