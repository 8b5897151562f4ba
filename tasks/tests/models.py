"""The smallest task and mail that use every part of the core."""

from typing import Any
from uuid import UUID

from django.core.mail import EmailMultiAlternatives
from django.db import models
from django.db.models import Q

from tasks.heartbeat import Heartbeat
from tasks.models import (
    UNFINISHED_STATUSES,
    Mail,
    MailQuerySet,
    Task,
    TaskEvent,
    TaskFailed,
    TaskQuerySet,
    Undeliverable,
)


class SampleTask(Task):
    """Counts to `rows_total`. `problem` names what goes wrong halfway."""

    problem = models.CharField(max_length=16, blank=True)
    result = models.CharField(max_length=16, blank=True)
    shown = models.JSONField(default=dict)
    """What the owner was shown last."""

    objects = TaskQuerySet.as_manager()

    class Meta(Task.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(status__in=UNFINISHED_STATUSES),
                name="sample_sampletask_unfinished",
            )
        ]

    def perform(self, heartbeat: Heartbeat) -> dict[str, Any]:
        for row in range(1, self.rows_total + 1):
            if row > self.rows_total // 2:
                self._stumble(heartbeat)
            heartbeat.report(row)
        return {"result": "counted", "rows_done": self.rows_total}

    def _stumble(self, heartbeat: Heartbeat) -> None:
        if self.problem == "transient":
            raise OSError("no route to host")
        if self.problem == "bug":
            raise ValueError("a bug")
        if self.problem == "impossible":
            raise TaskFailed("IMPOSSIBLE")
        if self.problem == "slow":
            heartbeat.wait(60)

    def create_mail(self) -> None:
        SampleMail.objects.create(task=self)

    @property
    def pending_mail(self) -> Mail | None:
        return SampleMail.objects.pending().filter(task=self).first()

    def notify_owner(self, **queue: Any) -> None:
        shown = {"status": self.status, "rows_done": self.rows_done} | queue
        type(self).objects.filter(pk=self.pk).update(shown=shown)

    @classmethod
    def last_notified(cls, task_ids: Any) -> dict[UUID, dict[str, Any]]:
        return dict(cls.objects.filter(pk__in=task_ids).values_list("pk", "shown"))

    @classmethod
    def prune_events(cls, before: models.Expression) -> None:
        SampleEvent._default_manager.filter(created_at__lt=before).delete()

    def record_event(self, kind: str, actor: Any = None) -> None:
        SampleEvent._default_manager.create(task=self, kind=kind, attempt=self.attempt, actor=actor)


class SampleEvent(TaskEvent):
    task = models.ForeignKey(SampleTask, models.CASCADE, related_name="events")

    class Meta(TaskEvent.Meta):
        pass


class SampleMail(Mail):
    task = models.ForeignKey(SampleTask, models.CASCADE, related_name="mails")
    problem = models.CharField(max_length=16, blank=True)
    has_attachment = models.BooleanField(default=True)

    objects = MailQuerySet.as_manager()

    def compose(self) -> EmailMultiAlternatives:
        if self.problem == "nowhere":
            raise Undeliverable("The account has no confirmed e-mail address.")
        if self.problem == "bug":
            raise KeyError("a bug")
        message = EmailMultiAlternatives(
            "Counted", "Done.", to=[self.task.owner.email], headers={"Message-ID": self.message_id}
        )
        if self.has_attachment:
            message.attach("count.txt", "1\n" * 5000, "text/plain")
        return message

    def drop_attachment(self) -> bool:
        return bool(type(self).objects.filter(pk=self.pk).update(has_attachment=False))

    def on_change(self, event: str) -> None:
        self.task.record_event(event)
