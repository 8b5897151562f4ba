"""The state machine of a durable background task."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest, Now
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from .clock import from_now, grace_seconds, lease_expiry
from .hooks import TaskHooks
from .rows import apply_update
from .status import UNFINISHED_STATUSES, CoreError, Status, TaskEventKind

MAX_CRASHES = 3

T = TypeVar("T", bound="Task")


class TaskQuerySet(models.QuerySet[T]):
    def unfinished(self) -> Self:
        return self.filter(status__in=UNFINISHED_STATUSES)

    def not_enqueued(self) -> Self:
        """Filter tasks that a worker should have claimed by now; their job may still be queued."""
        return self.filter(status=Status.READY, queued_at__lt=from_now(-grace_seconds()))

    def lease_expired(self) -> Self:
        return self.filter(status=Status.RUNNING, lease_expires_at__lt=Now())

    def owner_deactivated(self) -> Self:
        if not self.model.requires_active_owner:
            return self.none()
        return self.unfinished().filter(owner__is_active=False)

    def claimable(self) -> Self:
        """Limit conditional UPDATEs to tasks that may run.

        The owner is checked in a subquery: a join would move all conditions into one, and
        PostgreSQL does not check those again after waiting for a concurrent transaction.
        """
        if not self.model.requires_active_owner:
            return self
        return self.filter(owner__in=get_user_model().objects.filter(is_active=True))

    def prunable(self) -> Self:
        """Filter tasks that may be deleted once they are old."""
        return self.exclude(status__in=UNFINISHED_STATUSES)

    def get_or_create_unfinished(
        self, owner: Any, *, actor: Any = None, key: dict[str, Any] | None = None, **fields: Any
    ) -> tuple[T, bool]:
        """Return the owner's unfinished task, or a new one, and whether it is new.

        `key` are the fields that, with the owner, may occur once among unfinished tasks.
        DoesNotExist if the owner's account is gone.
        """
        key = {"owner": owner} | (key or {})
        with transaction.atomic():
            # Lock the owner: concurrent requests wait here, and so does the account's deletion.
            get_user_model().objects.select_for_update(no_key=True).get(pk=owner.pk)
            if unfinished := self.unfinished().filter(**key).first():
                return unfinished, False
            task = self.create(**key, **fields)
            task.record_event(TaskEventKind.REQUESTED, actor)
            task.notify_owner()
        return task, True


class TaskRow(models.Model):
    """Columns of a task, and facts that follow from them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="%(app_label)s_%(class)ss",
        db_index=False,
        verbose_name=_("owner"),
    )
    # Language of the page with the request, for owners who have not chosen a language.
    language = models.CharField(_("language"), max_length=10, blank=True)
    status = models.CharField(_("state"), max_length=10, choices=Status, default=Status.READY)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    crashes = models.PositiveIntegerField(_("crashes"), default=0)
    lease_expires_at = models.DateTimeField(_("lease until"), null=True)
    rows_done = models.PositiveBigIntegerField(_("rows written"), default=0)
    rows_total = models.PositiveBigIntegerField(_("rows in all"), default=0)
    # Lists are paged by this column, and SQLite's clock has too few digits, so use Python's.
    created_at = models.DateTimeField(_("requested at"), default=timezone.now, editable=False)
    queued_at = models.DateTimeField(_("queued at"), db_default=Now())
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    error_code = models.CharField(_("error"), max_length=16, choices=CoreError, blank=True)
    traceback = models.TextField(_("traceback"), blank=True)

    class Meta:
        abstract = True
        indexes = [
            # One owner's tasks, newest first.
            models.Index(fields=["owner", "-created_at"], name="%(app_label)s_%(class)s_owner"),
            # The sweeper: expired leases and lost jobs.
            models.Index(
                fields=["status", "lease_expires_at"], name="%(app_label)s_%(class)s_sweep"
            ),
            # The staff's list.
            models.Index(fields=["-created_at"], name="%(app_label)s_%(class)s_newest"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def job_id(self) -> str:
        return f"{self.pk}-{self.attempt}"

    @property
    def is_unfinished(self) -> bool:
        return self.status in UNFINISHED_STATUSES

    @property
    def duration(self) -> timedelta | None:
        """Duration of the last attempt, once it has ended."""
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None

    @property
    def last_heartbeat_at(self) -> datetime | None:
        return self.lease_expires_at and self.lease_expires_at - timedelta(
            seconds=settings.EXPORT_LEASE_SECONDS
        )

    @property
    def owner_language(self) -> str:
        """Language code for texts that the owner reads."""
        chosen = self.owner.language if self.owner else ""
        return chosen or self.language or settings.LANGUAGE_CODE


class Task(TaskHooks, TaskRow):
    """A row that is the record of work to be done; the queue only carries a hint of it.

    A concrete task fills in the hooks. Each transition is one conditional UPDATE with its event and
    notification, in one transaction. False means that the row had changed meanwhile, and that
    nothing was written. `attempt` is a fencing token: it grows each time the task is enqueued anew,
    and writes that carry an old number change nothing.
    """

    if TYPE_CHECKING:
        objects: Any  # a concrete class has a manager of its own QuerySet

    class Meta(TaskRow.Meta):
        abstract = True

    def claim(self) -> bool:
        """Move READY to RUNNING under a new lease."""
        return self._transition(
            self._fenced(Status.READY).claimable(),
            TaskEventKind.CLAIMED,
            status=Status.RUNNING,
            started_at=Now(),
            lease_expires_at=lease_expiry(),
        )

    def renew(self, rows_done: int) -> bool:
        """Extend the lease and raise the progress; False once the lease is lost."""
        with transaction.atomic():
            renewed = (
                self._fenced(Status.RUNNING)
                .claimable()
                .update(
                    lease_expires_at=lease_expiry(),
                    rows_done=Greatest(F("rows_done"), Value(rows_done)),
                )
            )
            if renewed:
                self.rows_done = max(self.rows_done, rows_done)
                self.notify_owner()
        return bool(renewed)

    def finish(self, **result: Any) -> bool:
        """Move RUNNING to SUCCESSFUL; `result` are further fields to set."""
        return self._end(
            self._fenced(Status.RUNNING).claimable(),
            TaskEventKind.FINISHED,
            status=Status.SUCCESSFUL,
            traceback="",
            **result,
        )

    def fail(self, code: str, traceback: str = "") -> bool:
        return self._end(
            self._fenced(Status.RUNNING),
            TaskEventKind.FAILED,
            status=Status.FAILED,
            error_code=code,
            traceback=traceback,
        )

    def crash(self, traceback: str = "", retry_after: float = 0) -> bool:
        """Start a new attempt, due in `retry_after` seconds; FAILED after MAX_CRASHES crashes."""
        return self._crash(self._fenced(Status.RUNNING), traceback, retry_after)

    def rescue(self) -> bool:
        """Treat an expired lease as a crash."""
        return self._crash(self._fenced(Status.RUNNING).lease_expired(), "", 0)

    def cancel(self, actor: Any = None) -> bool:
        """Move READY or RUNNING to CANCELLED; a running worker stops at its next heartbeat."""
        return self._end(
            type(self)._default_manager.filter(pk=self.pk, status__in=UNFINISHED_STATUSES),
            TaskEventKind.CANCELLED,
            actor=actor,
            reload=True,
            status=Status.CANCELLED,
        )

    def requeue(self, actor: Any = None) -> bool:
        """Start a new attempt of a READY task whose job was lost."""
        return self._new_attempt(self._fenced(Status.READY), TaskEventKind.REQUEUED, actor)

    def release(self, actor: Any = None) -> bool:
        """Start a new attempt of a RUNNING task, whatever its lease; does not count as a crash."""
        return self._new_attempt(self._fenced(Status.RUNNING), TaskEventKind.RESCUED, actor)

    def _fenced(self, status: Status) -> TaskQuerySet[Self]:
        """Select this row while it has that status and the attempt that was read."""
        rows: TaskQuerySet[Self] = type(self)._default_manager.all()  # type: ignore[assignment]
        return rows.filter(pk=self.pk, attempt=self.attempt, status=status)

    def _transition(
        self,
        rows: models.QuerySet[Any],
        event: str,
        actor: Any = None,
        *,
        reload: bool = False,
        **changes: Any,
    ) -> bool:
        """Update the row, record the event and notify the owner.

        Pass `reload` if another process may have changed fields that are not in `changes`.
        """
        with transaction.atomic():
            if rows.update(**changes) != 1:
                return False
            if reload:
                self.refresh_from_db(fields=self._state_fields())
            else:
                apply_update(self, changes)
            if event in (TaskEventKind.FINISHED, TaskEventKind.FAILED):
                with translation.override(self.owner_language):
                    self.create_mail()
            self.record_event(event, actor)
            self.notify_owner()
        return True

    def _end(self, rows: models.QuerySet[Any], event: str, **changes: Any) -> bool:
        changes |= {"finished_at": Now(), "lease_expires_at": None}
        return self._transition(rows, event, **changes)

    def _crash(self, rows: models.QuerySet[Any], traceback: str, retry_after: float) -> bool:
        changes = {"crashes": self.crashes + 1, "traceback": traceback or self.traceback}
        if self.crashes + 1 < MAX_CRASHES:
            if retry_after:
                # The sweeper enqueues a READY task that has had no job for its grace period.
                changes["queued_at"] = from_now(retry_after - grace_seconds())
            return self._new_attempt(rows, TaskEventKind.RESCUED, **changes)
        return self._end(
            rows,
            TaskEventKind.FAILED,
            status=Status.FAILED,
            error_code=CoreError.CRASHED,
            **changes,
        )

    def _new_attempt(
        self, rows: models.QuerySet[Any], event: str, actor: Any = None, **changes: Any
    ) -> bool:
        changes = {"queued_at": Now()} | changes
        return self._transition(
            rows,
            event,
            actor,
            reload=True,
            status=Status.READY,
            attempt=self.attempt + 1,
            lease_expires_at=None,
            **changes,
        )

    @classmethod
    def _state_fields(cls) -> list[str]:
        fixed = {"id", "owner_id", "language", "created_at"}
        return [f.attname for f in cls._meta.concrete_fields if f.attname not in fixed]


def task_models() -> list[type[Task]]:
    return [model for model in apps.get_models() if issubclass(model, Task)]
