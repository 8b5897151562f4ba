from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.db.models import Expression

if TYPE_CHECKING:
    from tasks.heartbeat import Heartbeat

    from .mail import Mail


class TaskHooks:
    """The part of a task that a concrete class fills in."""

    requires_active_owner: ClassVar[bool] = True
    """Cancel the task when its owner's account is closed."""

    is_cancellable: ClassVar[bool] = True
    """Let staff cancel the task."""

    def perform(self, heartbeat: Heartbeat) -> dict[str, Any]:
        """Do the work of a claimed task; return the fields that `finish` sets.

        Must be idempotent. Report progress to `heartbeat`, which raises LeaseLost once the lease
        is lost. Raise TaskFailed if the work cannot succeed; transient errors are retried, and
        all others fail the task.
        """
        raise NotImplementedError

    def discard_result(self, **result: Any) -> None:
        """Remove what `perform` made, because the task was taken over before `finish`."""

    def create_mail(self) -> None:
        """Save the mail about the end of the task, in the transaction that ends it."""

    @property
    def pending_mail(self) -> Mail | None:
        """The mail about the end of the task, until it is sent or given up."""
        return None

    def notify_owner(self, **queue: Any) -> None:
        """Update what the owner's pages show; `queue` comes from `queue_position`."""

    @classmethod
    def last_notified(cls, task_ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
        """Return what the owners' pages show, by task."""
        return {}

    @classmethod
    def prune_events(cls, before: Expression) -> None:
        """Delete old entries of the timeline."""

    def record_event(self, kind: str, actor: Any = None) -> None:
        """Append to the timeline."""
