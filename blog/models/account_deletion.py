from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from tasks.models import UNFINISHED_STATUSES, Task, TaskEvent, TaskQuerySet

if TYPE_CHECKING:
    from tasks.heartbeat import Heartbeat


class AccountDeletion(Task):
    """Deletion of a closed account and all its rows. This row outlives the account."""

    requires_active_owner = False
    is_cancellable = False

    owner = models.ForeignKey(  # type: ignore[assignment]  # nullable here alone
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="deletions",
        db_index=False,
        verbose_name=_("owner"),
    )
    is_by_staff = models.BooleanField(_("by staff"), default=False)

    objects = TaskQuerySet.as_manager()

    class Meta(Task.Meta):
        verbose_name = _("account deletion")
        verbose_name_plural = _("account deletions")
        constraints = [
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(status__in=UNFINISHED_STATUSES),
                name="blog_accountdeletion_open",
            )
        ]

    def perform(self, heartbeat: Heartbeat) -> dict[str, Any]:
        from ..accounts import deletion  # deletes rows of all models, and imports them

        rows = deletion.delete_rows(self, heartbeat)
        return {"rows_done": rows, "rows_total": rows}

    def finish(self, **result: Any) -> bool:
        """Delete the user and save the mail about it in the transaction that ends the task."""
        from ..accounts import deletion

        with transaction.atomic():
            user = deletion.lock_user(self.owner_id)
            if not super().finish(**result):
                return False
            if user is not None:
                with translation.override(self.owner_language):
                    deletion.delete_user(user, by_staff=self.is_by_staff)
        return True

    def record_event(self, kind: str, actor: Any = None) -> None:
        DeletionEvent._default_manager.create(
            task=self, kind=kind, attempt=self.attempt, actor=actor
        )

    @classmethod
    def prune_events(cls, before: models.Expression) -> None:
        DeletionEvent._default_manager.filter(created_at__lt=before).delete()


class DeletionEvent(TaskEvent):
    """Entry in the timeline of an account deletion."""

    task = models.ForeignKey(AccountDeletion, models.CASCADE, related_name="events", db_index=False)

    class Meta(TaskEvent.Meta):
        verbose_name = _("event")
        verbose_name_plural = _("events")
