"""Rows behind exports. Their methods alone change a status."""

from tasks.models import MailStatus, Status

from .choices import ErrorCode, Event, Purpose
from .event import ExportEvent
from .mail import ExportMail
from .task import ExportTask

__all__ = [
    "ErrorCode",
    "Event",
    "ExportEvent",
    "ExportMail",
    "ExportTask",
    "MailStatus",
    "Purpose",
    "Status",
]
