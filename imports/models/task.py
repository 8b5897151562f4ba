from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from blog.models import Notification, Post, User
from blog.models.post import PostQuerySet, source_labels
from tasks.heartbeat import LeaseLost
from tasks.models import UNFINISHED_STATUSES, Status, Task, TaskQuerySet
from tasks.models.clock import from_now

from .choices import ErrorCode, Event, Phase
from .event import ImportEvent

if TYPE_CHECKING:
    from tasks.heartbeat import Heartbeat

NOTIFICATION_PREFIX = "import:"
KEEP_UPLOAD_DAYS = 7
UNDO_DAYS = 30

IS_PREVIEWED = Q(status=Status.SUCCESSFUL, phase=Phase.PREVIEW)
IS_IN_PROGRESS = Q(status__in=UNFINISHED_STATUSES) | IS_PREVIEWED


def upload_storage() -> Storage:
    return storages["archives"]


class ImportTaskQuerySet(TaskQuerySet["ImportTask"]):
    def in_progress(self) -> ImportTaskQuerySet:
        """Filter imports that allow no other of the same owner: unfinished, or previewed."""
        return self.filter(IS_IN_PROGRESS)

    def abandoned(self) -> ImportTaskQuerySet:
        """Filter previews that nobody has confirmed in time."""
        return self.filter(IS_PREVIEWED, created_at__lt=from_now(-KEEP_UPLOAD_DAYS * 86400))

    def with_unneeded_upload(self) -> ImportTaskQuerySet:
        return self.exclude(upload="").exclude(IS_IN_PROGRESS)

    def with_old_report(self) -> ImportTaskQuerySet:
        old = from_now(-UNDO_DAYS * 86400)
        return self.exclude(report="").exclude(IS_IN_PROGRESS).filter(created_at__lt=old)

    def prunable(self) -> ImportTaskQuerySet:
        return super().prunable().filter(upload="", report="").exclude(IS_PREVIEWED)


class ImportTask(Task):
    """Import of an uploaded archive. Each phase is a new attempt of the same task."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="import_tasks",
        db_index=False,
        verbose_name=_("owner"),
    )
    phase = models.CharField(
        _("phase"), max_length=8, choices=Phase, default=Phase.PREVIEW, db_default=Phase.PREVIEW
    )
    source = models.CharField(_("source"), max_length=32)
    upload = models.FileField(_("upload"), storage=upload_storage, blank=True)
    upload_name = models.CharField(_("name of the file"), max_length=255, blank=True)
    upload_bytes = models.PositiveBigIntegerField(_("size"))
    # The result of `phases.preview`, and the owner's choices
    preview = models.JSONField(_("preview"), default=dict)
    years = models.JSONField(_("years"), default=list)
    options = models.JSONField(_("options"), default=list)
    imported = models.PositiveBigIntegerField(_("posts imported"), default=0)
    imported_at = models.DateTimeField(_("imported at"), null=True)
    report = models.FileField(_("report"), storage=upload_storage, blank=True)
    error_code = models.CharField(_("error"), max_length=16, choices=ErrorCode, blank=True)

    objects = ImportTaskQuerySet.as_manager()

    class Meta(Task.Meta):
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], condition=IS_IN_PROGRESS, name="imports_importtask_unfinished"
            )
        ]
        indexes = [
            *Task.Meta.indexes,
            # The sweeper: uploads that may have to be deleted.
            models.Index(
                fields=["created_at"],
                condition=~Q(upload=""),
                name="imports_importtask_upload",
            ),
        ]

    def get_absolute_url(self) -> str:
        return reverse("imports:task-detail", args=[self.pk])

    @property
    def source_label(self) -> str:
        return str(source_labels.get(self.source, self.source))

    @property
    def is_previewed(self) -> bool:
        return self.status == Status.SUCCESSFUL and self.phase == Phase.PREVIEW

    @property
    def posts(self) -> PostQuerySet:
        """The posts of this import that still exist."""
        return Post.objects.filter(import_id=self.pk)

    @property
    def undoable_until(self) -> datetime | None:
        return self.imported_at and self.imported_at + timedelta(days=UNDO_DAYS)

    @property
    def is_undoable(self) -> bool:
        """Whether posts of this import may be there, also after a cancelled or failed one."""
        return (
            self.imported_at is not None
            and self.imported_at + timedelta(days=UNDO_DAYS) > timezone.now()
            and not self.is_unfinished
            and not self.is_undone
        )

    @property
    def is_undone(self) -> bool:
        return self.phase == Phase.UNDO and self.status == Status.SUCCESSFUL

    # Hooks of Task

    def perform(self, heartbeat: Heartbeat) -> dict[str, Any]:
        from imports import phases  # works on the models, and imports them

        return phases.PERFORM[Phase(self.phase)](self, heartbeat)

    def discard_result(self, **result: Any) -> None:
        if result.get("report"):
            upload_storage().delete(result["report"])

    def create_mail(self) -> None:
        from imports import mails

        mails.save_mail(self)

    def record_event(self, kind: str, actor: User | None = None) -> None:
        if kind == Event.FINISHED:
            finished = {Phase.PREVIEW: Event.PREVIEWED, Phase.UNDO: Event.UNDONE}
            kind = finished.get(Phase(self.phase), Event.FINISHED)
        ImportEvent.objects.create(task=self, kind=kind, attempt=self.attempt, actor=actor)

    def notify_owner(self, **queue: Any) -> None:
        Notification.objects.upsert(
            self.owner_id,
            f"{NOTIFICATION_PREFIX}{self.pk}",
            self.payload() | queue,
            is_listed=not self.is_unfinished and self.status != Status.CANCELLED,
        )

    @classmethod
    def last_notified(cls, task_ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
        names = {f"{NOTIFICATION_PREFIX}{pk}": pk for pk in task_ids}
        # The index of notifications begins with the user.
        owners = cls.objects.filter(pk__in=names.values()).values("owner")
        rows = Notification.objects.filter(user__in=owners, name__in=names)
        return {names[name]: payload for name, payload in rows.values_list("name", "payload")}

    @classmethod
    def prune_events(cls, before: models.Expression) -> None:
        ImportEvent.objects.filter(created_at__lt=before).delete()

    # Verbs that only imports have

    def confirm(self, *, years: Collection[int], options: Collection[str], rows: int) -> bool:
        """Begin the import of a previewed archive, as a new attempt."""
        return self._new_attempt(
            self._fenced(Status.SUCCESSFUL).filter(phase=Phase.PREVIEW),
            Event.CONFIRMED,
            phase=Phase.IMPORT,
            years=sorted(years),
            options=sorted(options),
            imported_at=timezone.now(),
            **self._fresh_progress(rows),
        )

    def discard(self, event: str = Event.DISCARDED) -> bool:
        """End an import that was previewed and not confirmed."""
        return self._end(
            self._fenced(Status.SUCCESSFUL).filter(phase=Phase.PREVIEW),
            event,
            status=Status.CANCELLED,
        )

    def undo(self) -> bool:
        """Begin to delete the imported posts, as a new attempt."""
        ended = (Status.SUCCESSFUL, Status.FAILED, Status.CANCELLED)
        rows = type(self).objects.filter(pk=self.pk, attempt=self.attempt, status__in=ended)
        is_undone = Q(phase=Phase.UNDO, status=Status.SUCCESSFUL)
        is_recent = Q(imported_at__gt=timezone.now() - timedelta(days=UNDO_DAYS))
        return self._new_attempt(
            rows.filter(is_recent).exclude(is_undone),
            Event.UNDO_REQUESTED,
            phase=Phase.UNDO,
            **self._fresh_progress(self.posts.count()),
        )

    def checkpoint(self, rows_done: int) -> None:
        """Record progress in the transaction of a batch. LeaseLost rolls the batch back."""
        rows = self._fenced(Status.RUNNING).claimable()
        if rows.update(rows_done=Greatest(F("rows_done"), Value(rows_done))) != 1:
            raise LeaseLost
        self.rows_done = max(self.rows_done, rows_done)

    @staticmethod
    def _fresh_progress(rows: int) -> dict[str, Any]:
        return {
            "rows_done": 0,
            "rows_total": rows,
            "crashes": 0,
            "error_code": "",
            "traceback": "",
            "started_at": None,
            "finished_at": None,
        }

    # What the owner sees

    def payload(self) -> dict[str, Any]:
        """Return the JSON-ready input of `progress.render_progress`."""
        return {
            "task": str(self.pk),
            "phase": self.phase,
            "status": self.status,
            "crashes": self.crashes,
            "rows_done": self.rows_done,
            "rows_total": self.rows_total,
            "imported": self.imported,
            "error_code": self.error_code,
        }

    def last_payload(self) -> dict[str, Any]:
        """Return the payload of the last notification, which may include the queue position."""
        name = f"{NOTIFICATION_PREFIX}{self.pk}"
        last = Notification.objects.filter(user_id=self.owner_id, name=name)
        return last.values_list("payload", flat=True).first() or self.payload()
