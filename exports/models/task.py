from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Least, Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from blog.models import ReportedTask, User
from tasks.models import UNFINISHED_STATUSES, UNSENT_STATUSES, MailStatus, Status, TaskQuerySet
from tasks.models.clock import from_now, sweep_after
from tasks.models.rows import lock_users

from .choices import ErrorCode, Event, Purpose
from .mail import ExportMail

if TYPE_CHECKING:
    from tasks.heartbeat import Heartbeat


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


class ExportTask(ReportedTask):
    """Request for an archive."""

    notification_prefix = "export"

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

    class Meta(ReportedTask.Meta):
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
            *ReportedTask.Meta.indexes,
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

    needs_disk_space = True

    def perform(self, heartbeat: Heartbeat) -> dict[str, Any]:
        from exports import building  # builds from the models, and imports them

        return building.build_archive(self, heartbeat)

    def discard_result(self, **result: Any) -> None:
        archive_storage().delete(result["archive"])

    def create_mail(self) -> None:
        purpose = Purpose.ARCHIVE if self.status == Status.SUCCESSFUL else Purpose.FAILURE
        ExportMail.objects.create(task=self, purpose=purpose, next_try_at=sweep_after())

    @classmethod
    def with_progress_bar(cls, owner: User) -> ExportTaskQuerySet:
        return owner.export_tasks.in_progress()

    # Verbs that only exports have

    def resend(self, actor: User) -> ExportMail | None:
        """Save another mail; None if one is pending or there is nothing to send."""
        with transaction.atomic():
            lock_users(self.owner_id)
            task = type(self).objects.select_for_update().get(pk=self.pk)
            if not task.is_resendable:
                return None
            task.create_mail()
            task.record_event(Event.RESENT, actor)
            task.notify_owner()
        return task.pending_mail

    def expire(self, actor: User | None = None) -> bool:
        """Clear the archive if it has expired or, given an `actor`, before it expires.

        The caller has to delete the file. An email with the archive that waits to be sent is given
        up, and then the owner is notified. Otherwise pages and mails named the date beforehand.
        """
        rows = type(self).objects.filter(pk=self.pk).exclude(archive="")
        with transaction.atomic():
            lock_users(self.owner_id)
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
            for mail in self.mails.filter(purpose=Purpose.ARCHIVE, status=MailStatus.PENDING):
                mail.withdraw("The archive was deleted before the email was sent.")
        return True

    def lose_archive(self) -> bool:
        """Move SUCCESSFUL to FAILED, because the stored archive is damaged or gone.

        The owner is told as after any failure. The caller has to delete the file.
        """
        rows = type(self).objects.filter(pk=self.pk, status=Status.SUCCESSFUL)
        return self._transition(
            rows.filter(archive=str(self.archive.name)).exclude(archive=""),
            Event.FAILED,
            status=Status.FAILED,
            error_code=ErrorCode.DAMAGED,
            archive="",
            archive_expires_at=Now(),
        )

    def record_download(self) -> None:
        """Record a download, at most once an hour: a program may repeat it without end."""
        recent = self.events.filter(kind=Event.DOWNLOADED, created_at__gt=from_now(-3600))
        if not recent.exists():
            self.record_event(Event.DOWNLOADED)

    # What the owner sees

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
            "removed": is_mailed and not self.archive,
        }
