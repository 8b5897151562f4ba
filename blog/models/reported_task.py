from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.db import models

from tasks.models import Task, task_models

from .notification import Notification


class ReportedTask(Task):
    """A task whose owner follows it on the site, through the notification `<prefix>:<id>`.

    A concrete task implements `payload`; `notifications.register` names what renders it.
    """

    notification_prefix: ClassVar[str]

    class Meta(Task.Meta):
        abstract = True

    def payload(self) -> dict[str, Any]:
        """Return the JSON-ready state that the owner's pages show."""
        raise NotImplementedError

    @property
    def is_listed(self) -> bool:
        """Whether the list of notifications contains it; else it only moves a bar."""
        return not self.is_unfinished

    @classmethod
    def with_progress_bar(cls, owner: Any) -> models.QuerySet[Any]:
        """Return the owner's tasks that have a progress bar on all pages."""
        rows: models.QuerySet[Any] = cls.objects.unfinished().filter(owner=owner)
        return rows

    @property
    def notification_name(self) -> str:
        return f"{self.notification_prefix}:{self.pk}"

    def notify_owner(self, **queue: Any) -> None:
        Notification.objects.upsert(
            self.owner_id,
            self.notification_name,
            self.payload() | queue,
            is_listed=self.is_listed,
        )

    def shown_payload(self) -> dict[str, Any]:
        """Return the payload; while unfinished, that of the last notification.

        It may include the queue position.
        """
        if not self.is_unfinished:
            return self.payload()
        last = Notification.objects.filter(user_id=self.owner_id, name=self.notification_name)
        return last.values_list("payload", flat=True).first() or self.payload()

    @classmethod
    def last_notified(cls, task_ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
        names = {f"{cls.notification_prefix}:{pk}": pk for pk in task_ids}
        # The index of notifications begins with the user.
        owners = cls.objects.filter(pk__in=names.values()).values("owner")
        rows = Notification.objects.filter(user__in=owners, name__in=names)
        return {names[name]: payload for name, payload in rows.values_list("name", "payload")}

    @classmethod
    def prune_notifications(cls, before: models.Expression) -> None:
        prefix = f"{cls.notification_prefix}:"
        Notification.objects.filter(name__startswith=prefix, updated_at__lt=before).delete()


def reported_task_models() -> list[type[ReportedTask]]:
    return [model for model in task_models() if issubclass(model, ReportedTask)]
