"""Rows behind exports. Their methods alone change a status; they import no queue and no mail."""

from .choices import ErrorCode, Event, MailStatus, Purpose, Status
from .event import ExportEvent
from .mail import ExportMail
from .self_test import SelfTest
from .sweeper_heartbeat import SweeperHeartbeat
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
    "SweeperHeartbeat",
]
