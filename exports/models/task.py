from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Greatest, Least, Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from blog.models import Notification, User

from .clock import from_now, lease, soon
from .event import Event, ExportEvent
from .mail import UNSETTLED, ExportMail, Purpose
from .rows import note
from .status import UNFINISHED, ErrorCode, Status

MAX_CRASHES = 3


def archive_storage() -> Storage:
    return storages["archives"]


class ExportTaskQuerySet(models.QuerySet["ExportTask"]):
    def unfinished(self) -> ExportTaskQuerySet:
        return self.filter(status__in=UNFINISHED)

    def in_progress(self) -> ExportTaskQuerySet:
        """What a progress bar is shown for: the build goes on, or its mail has not gone out yet."""
        owed = ExportMail.objects.unsettled().filter(task=OuterRef("pk"), purpose=Purpose.ARCHIVE)
        return self.filter(Q(status__in=UNFINISHED) | Q(Exists(owed), status=Status.SUCCESSFUL))

    def overlooked(self) -> ExportTaskQuerySet:
        """READY for so long that a worker should have them, unless they wait in the queue."""
        return self.filter(
            status=Status.READY, queued_at__lt=from_now(-2 * settings.EXPORT_TICK_SECONDS)
        )

    def lapsed(self) -> ExportTaskQuerySet:
        """RUNNING, but the worker has not been heard from for a lease."""
        return self.filter(status=Status.RUNNING, lease_expires_at__lt=Now())

    def expired(self) -> ExportTaskQuerySet:
        """Those whose archive has lasted long enough."""
        return self.filter(archive_expires_at__lt=Now()).exclude(archive="")

    def downloadable(self) -> ExportTaskQuerySet:
        return self.filter(archive_expires_at__gt=Now()).exclude(archive="")

    def of_active_owners(self) -> ExportTaskQuerySet:
        """For conditional UPDATEs: a subquery, because a join would move all conditions into one, and PostgreSQL does
        not look at those again when it had to wait for another transaction."""
        return self.filter(owner__in=User.objects.filter(is_active=True))

    def abandoned(self) -> ExportTaskQuerySet:
        """Unfinished, but their owner may not use the site any more."""
        return self.unfinished().filter(owner__is_active=False)

    def cooling(self) -> ExportTaskQuerySet:
        """Successful ones of which EXPORT_COOLDOWN forbids another, the last one last."""
        since = from_now(-settings.EXPORT_COOLDOWN)
        return self.filter(status=Status.SUCCESSFUL, finished_at__gt=since).order_by("finished_at")

    def request(
        self,
        owner_id: int,
        kind: str = "posts",
        language: str = "",
        rows_total: int = 0,
        actor: User | None = None,
    ) -> tuple[ExportTask, bool]:
        """A new task, or the one that is under way already, and whether it is new."""
        try:
            with transaction.atomic():
                task = self.create(
                    owner_id=owner_id, kind=kind, language=language, rows_total=rows_total
                )
                task.record(Event.REQUESTED, actor)
                task.announce()
        except IntegrityError:
            under_way = self.unfinished().filter(owner_id=owner_id, kind=kind).first()
            # None if it has ended in this very moment: then there is room for a new one.
            return (
                (under_way, False)
                if under_way
                else self.request(owner_id, kind, language, rows_total, actor)
            )
        return task, True


class ExportTask(models.Model):
    """One request for an archive: its row is the truth about it, whatever becomes of queue, workers and mail.

    `attempt` is a fencing token: it grows each time that the work is handed out anew, and a worker's writes count
    only as long as the row still has the number that the worker was given.
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
    # What the owner was reading when they asked: for mails to those who have not chosen a language.
    language = models.CharField(_("language"), max_length=10, blank=True)
    status = models.CharField(_("state"), max_length=10, choices=Status, default=Status.READY)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    crashes = models.PositiveIntegerField(_("crashes"), default=0)
    lease_expires_at = models.DateTimeField(_("lease until"), null=True)
    rows_done = models.PositiveBigIntegerField(_("rows written"), default=0)
    rows_total = models.PositiveBigIntegerField(_("rows in all"), default=0)
    # Python's clock: lists are paged by it, and SQLite's own has another number of digits than a parameter.
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
                condition=Q(status__in=UNFINISHED),
                name="exports_exporttask_unfinished",
            )
        ]
        indexes = [
            # "Your exports", newest first, and the bars of one person.
            models.Index(fields=["owner", "-created_at"], name="exports_exporttask_owner"),
            # The sweeper: lapsed and overlooked tasks.
            models.Index(fields=["status", "lease_expires_at"], name="exports_exporttask_sweep"),
            # The sweeper: archives to remove.
            models.Index(
                fields=["archive_expires_at"],
                condition=~Q(archive=""),
                name="exports_exporttask_expiry",
            ),
            # The admin's list and its date hierarchy.
            models.Index(fields=["-created_at"], name="exports_exporttask_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("exports:task-detail", args=[self.pk])

    @property
    def job_id(self) -> str:
        """The RQ job of the current attempt."""
        return f"{self.pk}-{self.attempt}"

    @property
    def owner_language(self) -> str:
        """What the archive and the mails about it are written in."""
        return self.owner.language or self.language or settings.LANGUAGE_CODE

    @property
    def is_unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def is_downloadable(self) -> bool:
        return (
            bool(self.archive)
            and self.archive_expires_at is not None
            and self.archive_expires_at > timezone.now()
        )

    @property
    def duration(self) -> timedelta | None:
        """How long the last build took."""
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None

    @property
    def next_request_at(self) -> datetime:
        """When the owner may ask again, by this export's cooldown."""
        return (self.finished_at or timezone.now()) + timedelta(seconds=settings.EXPORT_COOLDOWN)

    @property
    def can_be_mailed(self) -> bool:
        """Whether staff may have it mailed once more."""
        has_news = (
            self.is_downloadable
            if self.status == Status.SUCCESSFUL
            else self.status == Status.FAILED
        )
        return has_news and self.owed_mail is None

    @property
    def heard_from_at(self) -> datetime | None:
        """When whoever builds it renewed the lease last."""
        return self.lease_expires_at and self.lease_expires_at - timedelta(
            seconds=settings.EXPORT_LEASE_SECONDS
        )

    @property
    def owed_mail(self) -> ExportMail | None:
        """The mail that is still to be sent."""
        owed = [mail for mail in self.mails.all() if mail.status in UNSETTLED]
        return owed[-1] if owed else None

    # Verbs. Each is one conditional UPDATE, with what belongs to it in the same transaction; False, or None,
    # says that the row had moved on, and that nothing was changed.

    def claim(self) -> bool:
        """Move READY to RUNNING; False if another worker already has it."""
        return self._move(
            self._held(Status.READY).of_active_owners(),
            Event.CLAIMED,
            status=Status.RUNNING,
            started_at=Now(),
            lease_expires_at=lease(),
        )

    def renew(self, rows_done: int) -> bool:
        """Keep the claim for another lease and note progress, which never goes back; False if it was taken away."""
        changes = {
            "lease_expires_at": lease(),
            "rows_done": Greatest(F("rows_done"), Value(rows_done)),
        }
        with transaction.atomic():
            if self._held(Status.RUNNING).of_active_owners().update(**changes) != 1:
                return False
            self.rows_done = max(self.rows_done, rows_done)
            self.announce()
        return True

    def note(self, traceback: str) -> bool:
        """Keep what went wrong in an attempt that is left to the sweeper."""
        return self._held(Status.RUNNING).update(traceback=traceback) == 1

    def finish(self, archive: str, rows: int, size: int, sha256: str) -> ExportMail | None:
        """Move RUNNING to SUCCESSFUL with the file of that name in storage, and owe the mail with it: this one."""
        return self._end(
            self._held(Status.RUNNING).of_active_owners(),
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
        """Move RUNNING to FAILED, and owe the mail that says so."""
        return self._fail(self._held(Status.RUNNING), error_code=code, traceback=traceback)

    def crash(self, traceback: str = "") -> bool:
        """Hand a RUNNING build out anew; after too many crashes move it to FAILED, and owe the mail that says so."""
        return self._crash(self._held(Status.RUNNING), traceback)

    def rescue(self) -> bool:
        """`crash`, if the lease has run out."""
        return self._crash(self._held(Status.RUNNING).lapsed(), "")

    def cancel(self, actor: User | None = None) -> bool:
        """Move READY or RUNNING to CANCELLED: whoever builds it stops within a heartbeat, and no mail is owed."""
        unfinished = type(self).objects.unfinished().filter(pk=self.pk)
        changes = {"status": Status.CANCELLED, "finished_at": Now(), "lease_expires_at": None}
        return self._move(unfinished, Event.CANCELLED, actor, is_held=False, **changes)

    def requeue(self, actor: User | None = None) -> bool:
        """Give a READY task, whose job was lost, a new attempt."""
        return self._move(
            self._held(Status.READY),
            Event.REQUEUED,
            actor,
            attempt=self.attempt + 1,
            queued_at=Now(),
        )

    def take_back(self, actor: User) -> bool:
        """Hand a RUNNING build out anew, lease or no lease; it counts for no crash."""
        return self._take_back(self._held(Status.RUNNING), actor)

    def resend(self, actor: User) -> ExportMail | None:
        """Owe another mail like the last one; None while one is still to be sent, or where there is nothing to send."""
        with transaction.atomic():
            task = type(self).objects.select_for_update().get(pk=self.pk)
            if not task.can_be_mailed:
                return None
            purpose = Purpose.FAILURE if task.status == Status.FAILED else Purpose.ARCHIVE
            mail = ExportMail.objects.create(task=task, purpose=purpose, next_try_at=soon())
            task.record(Event.RESENT, actor)
            task.announce()
        return mail

    def expire(self, actor: User | None = None) -> bool:
        """Forget an archive whose time is over, or that `actor` ends early. The file is the caller's to remove."""
        rows = type(self).objects.filter(pk=self.pk).exclude(archive="")
        with transaction.atomic():
            if actor is None:
                forgotten = rows.expired().update(archive="")
            else:
                forgotten = rows.update(
                    archive="", archive_expires_at=Least(F("archive_expires_at"), Now())
                )
            if forgotten != 1:
                return False
            self.archive = ""
            self.record(
                Event.EXPIRED, actor
            )  # no news: it was said from the beginning how long it lasts
        return True

    def record(self, event: Event, actor: User | None = None) -> None:
        """Add to the timeline."""
        ExportEvent.objects.create(task=self, kind=event, attempt=self.attempt, actor=actor)

    @property
    def notification_name(self) -> str:
        return f"export:{self.pk}"

    def announce(self, mail: ExportMail | None = None, **more: Any) -> None:
        """Tell the owner's pages how things stand, and what else is known of it."""
        is_listed = not self.is_unfinished
        Notification.objects.upsert(
            self.owner_id, self.notification_name, self.facts(mail) | more, is_listed=is_listed
        )

    def facts(self, mail: ExportMail | None = None) -> dict[str, Any]:
        """What `progress.describe` needs to put this task into words; JSON-ready. `mail` is its last, if at hand."""
        if self.status != Status.SUCCESSFUL:
            mail = None  # there is none yet, or one whose fate is no news
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

    def told(self) -> dict[str, Any]:
        """The facts that the owner was told last, with what else was known, such as the place in line."""
        last = Notification.objects.filter(user_id=self.owner_id, name=self.notification_name)
        return last.values_list("payload", flat=True).first() or self.facts()

    def _held(self, status: Status) -> ExportTaskQuerySet:
        """This row, as long as it has that status and the attempt that this object was read with."""
        return type(self).objects.filter(pk=self.pk, attempt=self.attempt, status=status)

    def _move(
        self,
        row: ExportTaskQuerySet,
        event: Event,
        actor: User | None = None,
        *,
        is_held: bool = True,
        **changes: Any,
    ) -> bool:
        """`is_held` where nobody else can have changed the row, but for its status, since this object was read."""
        with transaction.atomic():
            if row.update(**changes) != 1:
                return False
            if is_held:
                note(self, changes)
            else:
                self.refresh_from_db(fields=STATE_FIELDS)
            self.record(event, actor)
            self.announce()
        return True

    def _end(
        self, row: ExportTaskQuerySet, event: Event, purpose: Purpose, **changes: Any
    ) -> ExportMail | None:
        changes |= {"finished_at": Now(), "lease_expires_at": None}
        with transaction.atomic(savepoint=False):
            if row.update(**changes) != 1:
                return None
            note(self, changes)
            mail = ExportMail.objects.create(task=self, purpose=purpose, next_try_at=soon())
            self.record(event)
            self.announce(mail)
        return mail

    def _fail(self, row: ExportTaskQuerySet, **changes: Any) -> bool:
        return (
            self._end(row, Event.FAILED, Purpose.FAILURE, status=Status.FAILED, **changes)
            is not None
        )

    def _crash(self, row: ExportTaskQuerySet, traceback: str) -> bool:
        crashes = self.crashes + 1
        changes: dict[str, Any] = {"crashes": crashes, "traceback": traceback or self.traceback}
        if crashes >= MAX_CRASHES:
            return self._fail(row, error_code=ErrorCode.CRASHED, **changes)
        return self._take_back(row, **changes)

    def _take_back(
        self, row: ExportTaskQuerySet, actor: User | None = None, **changes: Any
    ) -> bool:
        return self._move(
            row,
            Event.RESCUED,
            actor,
            is_held=False,
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
