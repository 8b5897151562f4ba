"""The rows behind an export. They alone change a status; they know no queue, no files' contents and no mail server."""

from .event import Event, ExportEvent
from .mail import ExportMail, MailStatus, Purpose
from .self_test import SelfTest
from .status import ErrorCode, Status
from .sweeper import SweeperSign
from .task import ExportTask

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
