from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest, Least, Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from blog.models import Notification, User

from .choices import UNFINISHED_STATUSES, UNSENT_STATUSES, ErrorCode, Event, Purpose, Status
from .concurrency import apply_update, from_now, lease_expiry, sweep_after
from .event import ExportEvent
from .mail import ExportMail
from .task_queryset import ExportTaskQuerySet

MAX_CRASHES = 3


def archive_storage() -> Storage:
    return storages["archives"]


class ExportTask(models.Model):
    """Request for an archive, and the source of truth about it: the queue is only a hint.

    `attempt` is the fencing token: it grows each time the task is enqueued anew, and a worker's
    writes with an older number change nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="export_tasks",
        db_index=False,
        verbose_name=_("owner"),
    )
    kind = models.CharField(_("kind"), max_length=16, default="posts")
    # Language of the page with the request, for owners whose account has none.
    language = models.CharField(_("language"), max_length=10, blank=True)
    status = models.CharField(_("state"), max_length=10, choices=Status, default=Status.READY)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    crashes = models.PositiveIntegerField(_("crashes"), default=0)
    lease_expires_at = models.DateTimeField(_("lease until"), null=True)
    rows_done = models.PositiveBigIntegerField(_("rows written"), default=0)
    rows_total = models.PositiveBigIntegerField(_("rows in all"), default=0)
    # Lists are paginated by this field. SQLite compares times as text, and its own clock writes
    # fewer digits than a parameter has, so the value comes from Python.
    created_at = models.DateTimeField(_("requested at"), default=timezone.now, editable=False)
    queued_at = models.DateTimeField(_("handed out at"), db_default=Now())
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    archive = models.FileField(_("archive"), storage=archive_storage, blank=True)
    archive_bytes = models.PositiveBigIntegerField(_("size"), null=True)
    archive_sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    archive_expires_at = models.DateTimeField(_("kept until"), null=True)
    error_code = models.CharField(_("error"), max_length=16, choices=ErrorCode, blank=True)
    traceback = models.TextField(_("traceback"), blank=True)

    objects = ExportTaskQuerySet.as_manager()

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        permissions = [
            ("cancel_exporttask", "Can cancel exports"),
            ("resend_exporttask", "Can send an export's mail again"),
            ("operate_exporttask", "Can rescue, expire and request exports, and test the chain"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "kind"],
                condition=Q(status__in=UNFINISHED_STATUSES),
                name="exports_exporttask_unfinished",
            )
        ]
        indexes = [
            # An owner's list of exports, newest first, and progress bars.
            models.Index(fields=["owner", "-created_at"], name="exports_exporttask_owner"),
            # The sweeper: expired leases and lost jobs.
            models.Index(fields=["status", "lease_expires_at"], name="exports_exporttask_sweep"),
            # The sweeper: expired archives.
            models.Index(
                fields=["archive_expires_at"],
                condition=~Q(archive=""),
                name="exports_exporttask_expiry",
            ),
            # The list in the admin and its date hierarchy.
            models.Index(fields=["-created_at"], name="exports_exporttask_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("exports:task-detail", args=[self.pk])

    @property
    def job_id(self) -> str:
        return f"{self.pk}-{self.attempt}"

    @property
    def owner_language(self) -> str:
        return self.owner.language or self.language or settings.LANGUAGE_CODE

    @property
    def is_unfinished(self) -> bool:
        return self.status in UNFINISHED_STATUSES

    @property
    def is_downloadable(self) -> bool:
        return (
            bool(self.archive)
            and self.archive_expires_at is not None
            and self.archive_expires_at > timezone.now()
        )

    @property
    def duration(self) -> timedelta | None:
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None

    @property
    def next_request_at(self) -> datetime:
        return (self.finished_at or timezone.now()) + timedelta(seconds=settings.EXPORT_COOLDOWN)

    @property
    def is_resendable(self) -> bool:
        has_result = (
            self.is_downloadable
            if self.status == Status.SUCCESSFUL
            else self.status == Status.FAILED
        )
        return has_result and self.pending_mail is None

    @property
    def last_heartbeat_at(self) -> datetime | None:
        return self.lease_expires_at and self.lease_expires_at - timedelta(
            seconds=settings.EXPORT_LEASE_SECONDS
        )

    @property
    def pending_mail(self) -> ExportMail | None:
        pending = [mail for mail in self.mails.all() if mail.status in UNSENT_STATUSES]
        return pending[-1] if pending else None

    # Verbs: each is one conditional UPDATE, with its event and notification in the same
    # transaction. They return False or None if the row had changed, and then write nothing.

    def claim(self) -> bool:
        return self._transition(
            self._fenced(Status.READY).owner_active(),
            Event.CLAIMED,
            status=Status.RUNNING,
            started_at=Now(),
            lease_expires_at=lease_expiry(),
        )

    def renew(self, rows_done: int) -> bool:
        """Extend the lease and save the progress; return False if the lease was lost.

        Progress never moves backwards.
        """
        changes = {
            "lease_expires_at": lease_expiry(),
            "rows_done": Greatest(F("rows_done"), Value(rows_done)),
        }
        with transaction.atomic():
            if self._fenced(Status.RUNNING).owner_active().update(**changes) != 1:
                return False
            self.rows_done = max(self.rows_done, rows_done)
            self.notify_owner()
        return True

    def record_traceback(self, traceback: str) -> bool:
        """Save a transient error's traceback; the status changes when the sweeper rescues."""
        return self._fenced(Status.RUNNING).update(traceback=traceback) == 1

    def finish(self, archive: str, rows: int, size: int, sha256: str) -> ExportMail | None:
        """Move RUNNING to SUCCESSFUL; return the pending mail created with it.

        `archive` is the file's name in the storage.
        """
        return self._finish_with_mail(
            self._fenced(Status.RUNNING).owner_active(),
            Event.BUILT,
            Purpose.ARCHIVE,
            status=Status.SUCCESSFUL,
            rows_done=rows,
            rows_total=rows,
            archive=archive,
            archive_bytes=size,
            archive_sha256=sha256,
            archive_expires_at=from_now(settings.EXPORT_KEEP_DAYS * 86400),
            traceback="",
        )

    def fail(self, code: ErrorCode, traceback: str) -> bool:
        return self._fail(self._fenced(Status.RUNNING), error_code=code, traceback=traceback)

    def crash(self, traceback: str = "") -> bool:
        """Move RUNNING to READY with a new attempt or, after MAX_CRASHES, to FAILED."""
        return self._crash(self._fenced(Status.RUNNING), traceback)

    def rescue(self) -> bool:
        return self._crash(self._fenced(Status.RUNNING).lease_expired(), "")

    def cancel(self, actor: User | None = None) -> bool:
        """Move READY or RUNNING to CANCELLED; a running build stops at its next heartbeat."""
        return self._transition(
            type(self).objects.unfinished().filter(pk=self.pk),
            Event.CANCELLED,
            actor,
            reload=True,
            status=Status.CANCELLED,
            finished_at=Now(),
            lease_expires_at=None,
        )

    def requeue(self, actor: User | None = None) -> bool:
        return self._transition(
            self._fenced(Status.READY),
            Event.REQUEUED,
            actor,
            attempt=self.attempt + 1,
            queued_at=Now(),
        )

    def release(self, actor: User) -> bool:
        """Move RUNNING to READY with a new attempt, even under a valid lease; not a crash."""
        return self._release(self._fenced(Status.RUNNING), actor)

    def resend(self, actor: User) -> ExportMail | None:
        with transaction.atomic():
            task = type(self).objects.select_for_update().get(pk=self.pk)
            if not task.is_resendable:
                return None
            purpose = Purpose.FAILURE if task.status == Status.FAILED else Purpose.ARCHIVE
            mail = ExportMail.objects.create(task=task, purpose=purpose, next_try_at=sweep_after())
            task.record_event(Event.RESENT, actor)
            task.notify_owner()
        return mail

    def expire(self, actor: User | None = None) -> bool:
        """Clear the archive if it has expired or, given an `actor`, before it expires.

        The caller has to delete the file. The owner is not notified: pages and mails named the
        date from the beginning.
        """
        rows = type(self).objects.filter(pk=self.pk).exclude(archive="")
        with transaction.atomic():
            if actor is None:
                updated = rows.expired().update(archive="")
            else:
                updated = rows.update(
                    archive="", archive_expires_at=Least(F("archive_expires_at"), Now())
                )
            if updated != 1:
                return False
            self.archive = ""
            self.record_event(Event.EXPIRED, actor)
        return True

    def record_event(self, event: Event, actor: User | None = None) -> None:
        ExportEvent.objects.create(task=self, kind=event, attempt=self.attempt, actor=actor)

    @property
    def notification_name(self) -> str:
        return f"export:{self.pk}"

    def notify_owner(self, mail: ExportMail | None = None, **extra: Any) -> None:
        """Save the task's notification: its payload and `extra`, such as the queue position."""
        Notification.objects.upsert(
            self.owner_id,
            self.notification_name,
            self.payload(mail) | extra,
            is_listed=not self.is_unfinished,
        )

    def payload(self, mail: ExportMail | None = None) -> dict[str, Any]:
        """Return the JSON-ready input of `progress.render_progress`.

        `mail` is the task's latest one; pass it to save a query.
        """
        if self.status != Status.SUCCESSFUL:
            mail = None  # there is none, or it is about a failure, and the bar does not show it
        elif mail is None:
            mail = [None, *self.mails.all()][-1]
        return {
            "task": str(self.pk),
            "kind": self.kind,
            "status": self.status,
            "crashes": self.crashes,
            "rows_done": self.rows_done,
            "rows_total": self.rows_total,
            "error_code": self.error_code,
            "mail": mail.status if mail else None,
            "bounced": bool(mail and mail.bounced_at),
        }

    def last_payload(self) -> dict[str, Any]:
        """Return the payload of the last notification, which may include the queue position."""
        last = Notification.objects.filter(user_id=self.owner_id, name=self.notification_name)
        return last.values_list("payload", flat=True).first() or self.payload()

    def _fenced(self, status: Status) -> ExportTaskQuerySet:
        """Filter this row, if its status and fencing token are unchanged."""
        return type(self).objects.filter(pk=self.pk, attempt=self.attempt, status=status)

    def _transition(
        self,
        row: ExportTaskQuerySet,
        event: Event,
        actor: User | None = None,
        *,
        reload: bool = False,
        **changes: Any,
    ) -> bool:
        """Update the row, record the event and notify the owner.

        Pass `reload` if another process may have changed fields that are not in `changes`.
        """
        with transaction.atomic():
            if row.update(**changes) != 1:
                return False
            if reload:
                self.refresh_from_db(fields=STATE_FIELDS)
            else:
                apply_update(self, changes)
            self.record_event(event, actor)
            self.notify_owner()
        return True

    def _finish_with_mail(
        self, row: ExportTaskQuerySet, event: Event, purpose: Purpose, **changes: Any
    ) -> ExportMail | None:
        changes |= {"finished_at": Now(), "lease_expires_at": None}
        with transaction.atomic(savepoint=False):
            if row.update(**changes) != 1:
                return None
            apply_update(self, changes)
            mail = ExportMail.objects.create(task=self, purpose=purpose, next_try_at=sweep_after())
            self.record_event(event)
            self.notify_owner(mail)
        return mail

    def _fail(self, row: ExportTaskQuerySet, **changes: Any) -> bool:
        mail = self._finish_with_mail(
            row, Event.FAILED, Purpose.FAILURE, status=Status.FAILED, **changes
        )
        return mail is not None

    def _crash(self, row: ExportTaskQuerySet, traceback: str) -> bool:
        crashes = self.crashes + 1
        changes: dict[str, Any] = {"crashes": crashes, "traceback": traceback or self.traceback}
        if crashes >= MAX_CRASHES:
            return self._fail(row, error_code=ErrorCode.CRASHED, **changes)
        return self._release(row, **changes)

    def _release(self, row: ExportTaskQuerySet, actor: User | None = None, **changes: Any) -> bool:
        return self._transition(
            row,
            Event.RESCUED,
            actor,
            reload=True,
            status=Status.READY,
            attempt=self.attempt + 1,
            queued_at=Now(),
            lease_expires_at=None,
            **changes,
        )


STATE_FIELDS = [
    field.attname
    for field in ExportTask._meta.concrete_fields
    if field.attname not in {"id", "owner_id", "kind", "language"}
]
