"""Rows behind imports. Their methods alone change a status."""

from .choices import ErrorCode, Event, Phase
from .event import ImportEvent
from .task import ImportTask, upload_storage

__all__ = ["ErrorCode", "Event", "ImportEvent", "ImportTask", "Phase", "upload_storage"]
