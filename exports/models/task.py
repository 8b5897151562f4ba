from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Least, Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from blog.models import Notification, User
from tasks.models import UNFINISHED_STATUSES, UNSENT_STATUSES, Status, Task, TaskQuerySet
from tasks.models.clock import from_now, sweep_after

from .choices import ErrorCode, Event, Purpose
from .event import ExportEvent
from .mail import ExportMail

if TYPE_CHECKING:
    from tasks.heartbeat import Heartbeat

NOTIFICATION_PREFIX = "export:"


def archive_storage() -> Storage:
    return storages["archives"]


class ExportTaskQuerySet(TaskQuerySet["ExportTask"]):
    def in_progress(self) -> ExportTaskQuerySet:
        """Filter tasks that have a progress bar: unfinished, or their archive is not mailed yet."""
        pending = ExportMail.objects.pending().filter(task=OuterRef("pk"), purpose=Purpose.ARCHIVE)
        return self.filter(
            Q(status__in=UNFINISHED_STATUSES) | Q(Exists(pending), status=Status.SUCCESSFUL)
        )

    def expired(self) -> ExportTaskQuerySet:
        return self.filter(archive_expires_at__lt=Now()).exclude(archive="")

    def downloadable(self) -> ExportTaskQuerySet:
        return self.filter(archive_expires_at__gt=Now()).exclude(archive="")

    def in_cooldown(self) -> ExportTaskQuerySet:
        """Filter tasks whose success is less than EXPORT_COOLDOWN ago, the latest one last."""
        since = from_now(-settings.EXPORT_COOLDOWN)
        return self.filter(status=Status.SUCCESSFUL, finished_at__gt=since).order_by("finished_at")

    def request(
        self, owner: User, kind: str = "posts", *, actor: User | None = None, **fields: Any
    ) -> tuple[ExportTask, bool]:
        """Get or create the unfinished task of this owner and kind; return it and `is_new`."""
        return self.get_or_create_unfinished(owner, actor=actor, key={"kind": kind}, **fields)

    def prunable(self) -> ExportTaskQuerySet:
        return super().prunable().filter(archive="")


class ExportTask(Task):
    """Request for an archive."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="export_tasks",
        db_index=False,
        verbose_name=_("owner"),
    )
    kind = models.CharField(_("kind"), max_length=16, default="posts")
    archive = models.FileField(_("archive"), storage=archive_storage, blank=True)
    archive_bytes = models.PositiveBigIntegerField(_("size"), null=True)
    archive_sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    archive_expires_at = models.DateTimeField(_("kept until"), null=True)
    error_code = models.CharField(_("error"), max_length=16, choices=ErrorCode, blank=True)

    objects = ExportTaskQuerySet.as_manager()

    class Meta(Task.Meta):
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
            *Task.Meta.indexes,
            # The sweeper: expired archives.
            models.Index(
                fields=["archive_expires_at"],
                condition=~Q(archive=""),
                name="exports_exporttask_expiry",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("exports:task-detail", args=[self.pk])

    @property
    def is_downloadable(self) -> bool:
        return (
            bool(self.archive)
            and self.archive_expires_at is not None
            and self.archive_expires_at > timezone.now()
        )

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
    def pending_mail(self) -> ExportMail | None:
        pending = [mail for mail in self.mails.all() if mail.status in UNSENT_STATUSES]
        return pending[-1] if pending else None

    # Hooks of Task

    def perform(self, heartbeat: Heartbeat) -> dict[str, Any]:
        from exports import building  # builds from the models, and imports them

        return building.build_archive(self, heartbeat)

    def discard_result(self, **result: Any) -> None:
        archive_storage().delete(result["archive"])

    def create_mail(self) -> None:
        purpose = Purpose.ARCHIVE if self.status == Status.SUCCESSFUL else Purpose.FAILURE
        ExportMail.objects.create(task=self, purpose=purpose, next_try_at=sweep_after())

    def record_event(self, kind: str, actor: User | None = None) -> None:
        ExportEvent.objects.create(task=self, kind=kind, attempt=self.attempt, actor=actor)

    def notify_owner(self, **queue: Any) -> None:
        Notification.objects.upsert(
            self.owner_id,
            self.notification_name,
            self.payload() | queue,
            is_listed=not self.is_unfinished,
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
        ExportEvent.objects.filter(created_at__lt=before).delete()

    # Verbs that only exports have

    def resend(self, actor: User) -> ExportMail | None:
        """Save another mail; None if one is pending or there is nothing to send."""
        with transaction.atomic():
            task = type(self).objects.select_for_update().get(pk=self.pk)
            if not task.is_resendable:
                return None
            task.create_mail()
            task.record_event(Event.RESENT, actor)
            task.notify_owner()
        return task.pending_mail

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

    # What the owner sees

    @property
    def notification_name(self) -> str:
        return f"{NOTIFICATION_PREFIX}{self.pk}"

    def payload(self) -> dict[str, Any]:
        """Return the JSON-ready input of `progress.render_progress`."""
        # Before, there is no mail; after a failure, the mail about it is not shown.
        is_mailed = self.status == Status.SUCCESSFUL
        mail = self.mails.order_by("created_at").last() if is_mailed else None
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
