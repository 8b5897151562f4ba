"""The rows behind an export. They alone change a status; they know no queue, no files' contents and no mail server."""

from .event import Event, ExportEvent
from .mail import ExportMail, MailStatus, Purpose
from .self_test import SelfTest
from .sweeper import SweeperSign
from .task import ErrorCode, ExportTask, Status

__all__ = [
    "ErrorCode",
    "Event",
    "ExportEvent",
    "ExportMail",
    "ExportTask",
    "MailStatus",
    "Purpose",
    "SelfTest",
    "Status",
    "SweeperSign",
]
