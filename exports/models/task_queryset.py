from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from blog.models import User

from .choices import UNFINISHED_STATUSES, Event, Purpose, Status
from .concurrency import from_now
from .mail import ExportMail

if TYPE_CHECKING:
    from .task import ExportTask


class ExportTaskQuerySet(models.QuerySet["ExportTask"]):
    def unfinished(self) -> ExportTaskQuerySet:
        return self.filter(status__in=UNFINISHED_STATUSES)

    def in_progress(self) -> ExportTaskQuerySet:
        """Filter tasks that have a progress bar: unfinished, or their archive is not mailed yet."""
        pending = ExportMail.objects.pending().filter(task=OuterRef("pk"), purpose=Purpose.ARCHIVE)
        return self.filter(
            Q(status__in=UNFINISHED_STATUSES) | Q(Exists(pending), status=Status.SUCCESSFUL)
        )

    def not_enqueued(self) -> ExportTaskQuerySet:
        """Filter READY tasks that a worker should have claimed by now.

        Their jobs are either still in the queue, which the caller has to check, or lost.
        """
        return self.filter(
            status=Status.READY, queued_at__lt=from_now(-2 * settings.EXPORT_TICK_SECONDS)
        )

    def lease_expired(self) -> ExportTaskQuerySet:
        return self.filter(status=Status.RUNNING, lease_expires_at__lt=Now())

    def expired(self) -> ExportTaskQuerySet:
        return self.filter(archive_expires_at__lt=Now()).exclude(archive="")

    def downloadable(self) -> ExportTaskQuerySet:
        return self.filter(archive_expires_at__gt=Now()).exclude(archive="")

    def owner_active(self) -> ExportTaskQuerySet:
        """Filter by active owners in a subquery, as conditional UPDATEs need it.

        For a join, Django would move all conditions into a subquery, and PostgreSQL does not
        evaluate a subquery again after it waited for another transaction's row lock.
        """
        return self.filter(owner__in=User.objects.filter(is_active=True))

    def owner_deactivated(self) -> ExportTaskQuerySet:
        return self.unfinished().filter(owner__is_active=False)

    def in_cooldown(self) -> ExportTaskQuerySet:
        """Filter tasks whose success is less than EXPORT_COOLDOWN ago, the latest one last."""
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
        """Get or create the unfinished task of this owner and kind; return it and `is_new`."""
        try:
            with transaction.atomic():
                task = self.create(
                    owner_id=owner_id, kind=kind, language=language, rows_total=rows_total
                )
                task.record_event(Event.REQUESTED, actor)
                task.notify_owner()
                return task, True
        except IntegrityError:
            unfinished = self.unfinished().filter(owner_id=owner_id, kind=kind).first()
        if unfinished is None:  # it finished between the two queries
            return self.request(owner_id, kind, language, rows_total, actor)
        return unfinished, False
