"""Durable tasks and mails, and the state machines that change them."""

from .event import TaskEvent
from .mail import (
    UNSENT_STATUSES,
    Mail,
    MailQuerySet,
    MailStatus,
    NotNeeded,
    Undeliverable,
    mail_models,
)
from .status import UNFINISHED_STATUSES, CoreError, Status, TaskEventKind, TaskFailed
from .sweeper_heartbeat import SweeperHeartbeat
from .task import MAX_CRASHES, Task, TaskQuerySet, task_models

__all__ = [
    "MAX_CRASHES",
    "UNFINISHED_STATUSES",
    "UNSENT_STATUSES",
    "CoreError",
    "Mail",
    "MailQuerySet",
    "MailStatus",
    "NotNeeded",
    "Status",
    "SweeperHeartbeat",
    "Task",
    "TaskEvent",
    "TaskEventKind",
    "TaskFailed",
    "TaskQuerySet",
    "Undeliverable",
    "mail_models",
    "task_models",
]
