"""Invariants of tasks and mails under random sequences of verbs, found by Hypothesis."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from blog.models import User
from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from exports.tests.conftest import build_result
from tasks.models import MAX_CRASHES
from tasks.models.clock import from_now

FINAL = {Status.SUCCESSFUL, Status.FAILED, Status.CANCELLED}
WORKERS = st.integers(0, 1)


def has_ready_task(_: Any) -> bool:
    return ExportTask.objects.filter(status=Status.READY).exists()


def has_pending_mail(_: Any) -> bool:
    return ExportMail.objects.filter(status=MailStatus.PENDING).exists()


class Exports(RuleBasedStateMachine):
    """Exports of one owner with two workers and a sweeper; workers keep possibly stale rows."""

    def __init__(self) -> None:
        super().__init__()
        self.builders: list[ExportTask | None] = [None, None]
        self.senders: list[ExportMail | None] = [None, None]
        self.finals: dict[Any, str] = {}
        self.max_rows_done: dict[Any, int] = {}

    @initialize()
    def begin(self) -> None:
        ExportTask.objects.all().delete()
        User.objects.all().delete()
        self.owner = User.objects.create_user("alice", "alice@microblog.example")

    # Owner

    @precondition(lambda self: not has_ready_task(self))
    @rule()
    def request(self) -> None:
        before = ExportTask.objects.unfinished().count()
        _, is_new = ExportTask.objects.request(self.owner, rows_total=100)
        assert is_new == (before == 0)

    @precondition(lambda self: any(self.builders))
    @rule()
    def cancel(self) -> None:
        for task in ExportTask.objects.unfinished():
            assert task.cancel()

    # Workers

    @precondition(has_ready_task)
    @rule(worker=WORKERS)
    def claim(self, worker: int) -> None:
        task = ExportTask.objects.filter(status=Status.READY).first()
        if task is not None and task.claim():
            self.builders[worker] = task

    @precondition(lambda self: any(self.builders))
    @rule(worker=WORKERS, rows=st.integers(0, 100))
    def renew(self, worker: int, rows: int) -> None:
        if task := self.builders[worker]:
            assert task.renew(rows) == self._has_lease(task)

    @precondition(lambda self: any(self.builders))
    @rule(worker=WORKERS)
    def finish(self, worker: int) -> None:
        if task := self.builders[worker]:
            held = self._has_lease(task)
            result = build_result(f"posts/{task.job_id}.json", 100, 1000, "0" * 64)
            assert task.finish(**result) == held
            self.builders[worker] = None

    @precondition(lambda self: any(self.builders))
    @rule(worker=WORKERS)
    def fail(self, worker: int) -> None:
        if task := self.builders[worker]:
            held = self._has_lease(task)
            assert task.fail(ErrorCode.ERROR, "trace") == held
            self.builders[worker] = None

    @precondition(lambda self: any(self.builders))
    @rule(worker=WORKERS)
    def die(self, worker: int) -> None:
        """Die without a trace; only the lease expires."""
        self.builders[worker] = None

    @precondition(lambda self: any(self.builders))
    @rule(worker=WORKERS)
    def crash(self, worker: int) -> None:
        """Kill the work-horse; its parent records the crash."""
        if task := self.builders[worker]:
            held = self._has_lease(task)
            assert task.crash("killed") == held
            self.builders[worker] = None

    # Mails

    @precondition(has_pending_mail)
    @rule(worker=WORKERS)
    def take_mail(self, worker: int) -> None:
        mail = ExportMail.objects.filter(status=MailStatus.PENDING).first()
        if mail is not None and mail.claim():
            self.senders[worker] = mail

    @precondition(lambda self: any(self.senders))
    @rule(worker=WORKERS, how=st.sampled_from(["mark_sent", "retry_later", "give_up"]))
    def end_mail(self, worker: int, how: str) -> None:
        if mail := self.senders[worker]:
            now = ExportMail.objects.filter(pk=mail.pk).first()
            held = now is not None and (now.status, now.tries) == (MailStatus.SENDING, mail.tries)
            ended = mail.mark_sent() if how == "mark_sent" else getattr(mail, how)("refused")
            assert ended == held
            self.senders[worker] = None

    # Sweeper

    @rule()
    def sweep_after_lease_expiry(self) -> None:
        ExportTask.objects.filter(status=Status.RUNNING).update(lease_expires_at=from_now(-1))
        ExportMail.objects.filter(status=MailStatus.SENDING).update(lease_expires_at=from_now(-1))
        for task in ExportTask.objects.lease_expired():
            assert task.rescue()
        for mail in ExportMail.objects.lease_expired():
            assert mail.retry_later("lease expired")

    @precondition(lambda self: any(self.builders))
    @rule()
    def overtake(self) -> None:
        """Freeze a worker until the other one has claimed its task, then wake it up."""
        self.sweep_after_lease_expiry()
        self.claim(0 if self.builders[1] else 1)

    @precondition(has_ready_task)
    @rule()
    def lose_job(self) -> None:
        for task in ExportTask.objects.filter(status=Status.READY):
            assert task.requeue()

    # Invariants

    @invariant()
    def at_most_one_task_is_unfinished(self) -> None:
        assert ExportTask.objects.unfinished().count() <= 1

    @invariant()
    def final_status_never_changes(self) -> None:
        now = dict(ExportTask.objects.values_list("pk", "status"))
        for pk, status in self.finals.items():
            assert now[pk] == status
        self.finals = {pk: status for pk, status in now.items() if status in FINAL}

    @invariant()
    def finished_task_has_exactly_one_mail(self) -> None:
        expected = {Status.SUCCESSFUL: [Purpose.ARCHIVE], Status.FAILED: [Purpose.FAILURE]}
        for task in ExportTask.objects.all():
            assert [mail.purpose for mail in task.mails.all()] == expected.get(
                Status(task.status), []
            )

    @invariant()
    def only_running_rows_have_a_lease(self) -> None:
        for task in ExportTask.objects.all():
            assert (task.lease_expires_at is not None) == (task.status == Status.RUNNING)
        for mail in ExportMail.objects.all():
            assert (mail.lease_expires_at is not None) == (mail.status == MailStatus.SENDING)

    @invariant()
    def crashes_are_limited(self) -> None:
        for task in ExportTask.objects.all():
            assert task.crashes <= MAX_CRASHES
            assert task.crashes < MAX_CRASHES or task.status == Status.FAILED

    @invariant()
    def progress_never_moves_backwards(self) -> None:
        for task in ExportTask.objects.all():
            assert task.rows_done >= self.max_rows_done.get(task.pk, 0)
            self.max_rows_done[task.pk] = task.rows_done

    @invariant()
    def only_current_attempt_records_an_archive(self) -> None:
        for task in ExportTask.objects.all():
            built = [event.attempt for event in task.events.filter(kind=Event.FINISHED)]
            assert built == ([task.attempt] if task.status == Status.SUCCESSFUL else [])
            assert task.archive.name == (f"posts/{task.job_id}.json" if built else "")

    def _has_lease(self, task: ExportTask) -> bool:
        now = ExportTask.objects.filter(pk=task.pk).values_list("status", "attempt").first()
        return now == (Status.RUNNING, task.attempt)


@pytest.mark.django_db
def test_random_verb_sequences_keep_invariants():
    examples = settings(max_examples=settings().max_examples // 8, stateful_step_count=40)
    run_state_machine_as_test(Exports, settings=examples)
