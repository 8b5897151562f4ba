"""Rows behind imports. Their methods alone change a status."""

from .choices import ErrorCode, Event, Phase
from .event import ImportEvent
from .task import FOLDER, ImportTask, upload_storage

__all__ = [
    "FOLDER",
    "ErrorCode",
    "Event",
    "ImportEvent",
    "ImportTask",
    "Phase",
    "upload_storage",
]
