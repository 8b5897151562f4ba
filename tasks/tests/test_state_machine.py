"""Random sequences of verbs, by an owner, two workers and a sweeper, break no promise."""

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
from tasks.models import MAX_CRASHES, MailStatus, Status, TaskEventKind
from tasks.models.clock import from_now

from .models import SampleMail, SampleTask

FINAL = {Status.SUCCESSFUL, Status.FAILED, Status.CANCELLED}
WORKERS = st.integers(0, 1)


class Tasks(RuleBasedStateMachine):
    """Tasks of one owner, and workers that remember a row as they read it, however stale."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: list[SampleTask | None] = [None, None]
        self.senders: list[SampleMail | None] = [None, None]
        self.final_states: dict[Any, str] = {}
        self.progress: dict[Any, int] = {}

    @initialize()
    def start(self) -> None:
        SampleTask.objects.all().delete()
        User.objects.all().delete()
        self.owner = User.objects.create_user("alice", "alice@microblog.example")

    def has_ready(self) -> bool:
        return SampleTask.objects.filter(status=Status.READY).exists()

    def has_pending_mail(self) -> bool:
        return SampleMail.objects.filter(status=MailStatus.PENDING).exists()

    def holds(self, task: SampleTask) -> bool:
        now = SampleTask.objects.filter(pk=task.pk).values_list("status", "attempt").first()
        return now == (Status.RUNNING, task.attempt)

    @precondition(lambda self: not self.has_ready())
    @rule()
    def request(self) -> None:
        had_unfinished = SampleTask.objects.unfinished().exists()
        _, is_new = SampleTask.objects.get_or_create_unfinished(self.owner, rows_total=100)
        assert is_new != had_unfinished

    @precondition(lambda self: any(self.workers))
    @rule()
    def cancel(self) -> None:
        for task in SampleTask.objects.unfinished():
            assert task.cancel()

    @precondition(has_ready)
    @rule(worker=WORKERS)
    def claim(self, worker: int) -> None:
        task = SampleTask.objects.filter(status=Status.READY).first()
        if task is not None and task.claim():
            self.workers[worker] = task

    @precondition(lambda self: any(self.workers))
    @rule(worker=WORKERS, rows=st.integers(0, 100))
    def renew(self, worker: int, rows: int) -> None:
        if task := self.workers[worker]:
            assert task.renew(rows) == self.holds(task)

    @precondition(lambda self: any(self.workers))
    @rule(
        worker=WORKERS,
        verb=st.sampled_from(["finish", "fail", "crash", "retry", "release", "die"]),
    )
    def end(self, worker: int, verb: str) -> None:
        task = self.workers[worker]
        self.workers[worker] = None
        if task is None or verb == "die":
            return
        held = self.holds(task)
        verbs = {
            "finish": lambda: task.finish(result="counted", rows_done=100),
            "fail": lambda: task.fail("ERROR", "trace"),
            "crash": lambda: task.crash("killed"),
            "retry": lambda: task.crash("disk", retry_after=5),
            "release": task.release,
        }
        assert verbs[verb]() == held

    @precondition(has_pending_mail)
    @rule(worker=WORKERS)
    def claim_mail(self, worker: int) -> None:
        mail = SampleMail.objects.filter(status=MailStatus.PENDING).first()
        if mail is not None and mail.claim():
            self.senders[worker] = mail

    @precondition(lambda self: any(self.senders))
    @rule(
        worker=WORKERS,
        verb=st.sampled_from(["mark_sent", "retry_later", "retry_now", "give_up"]),
    )
    def end_mail(self, worker: int, verb: str) -> None:
        mail = self.senders[worker]
        self.senders[worker] = None
        if mail is None:
            return
        now = SampleMail.objects.get(pk=mail.pk)
        held = (now.status, now.tries) == (MailStatus.SENDING, mail.tries)
        arguments = [] if verb == "mark_sent" else ["refused"]
        assert getattr(mail, verb)(*arguments) == held

    @rule()
    def sweep_after_lease_expiry(self) -> None:
        running = SampleTask.objects.filter(status=Status.RUNNING)
        running.update(lease_expires_at=from_now(-1))
        sending = SampleMail.objects.filter(status=MailStatus.SENDING)
        sending.update(lease_expires_at=from_now(-1))
        for task in SampleTask.objects.lease_expired():
            assert task.rescue()
        for mail in SampleMail.objects.lease_expired():
            assert mail.retry_now("silent")

    @precondition(lambda self: any(self.workers))
    @rule()
    def overtake(self) -> None:
        """Freeze a worker, give its task to the other, and let the first one wake up."""
        self.sweep_after_lease_expiry()
        self.claim(0 if self.workers[1] else 1)

    @precondition(has_ready)
    @rule()
    def lose_job(self) -> None:
        for task in SampleTask.objects.filter(status=Status.READY):
            assert task.requeue()

    @invariant()
    def at_most_one_is_unfinished(self) -> None:
        assert SampleTask.objects.unfinished().count() <= 1

    @invariant()
    def final_states_never_change(self) -> None:
        now = dict(SampleTask.objects.values_list("pk", "status"))
        for pk, status in self.final_states.items():
            assert now[pk] == status
        self.final_states = {pk: status for pk, status in now.items() if status in FINAL}

    @invariant()
    def each_end_has_one_mail(self) -> None:
        for task in SampleTask.objects.all():
            assert task.mails.count() == int(task.status in (Status.SUCCESSFUL, Status.FAILED))

    @invariant()
    def only_holders_have_a_lease(self) -> None:
        for task in SampleTask.objects.all():
            assert (task.lease_expires_at is not None) == (task.status == Status.RUNNING)
        for mail in SampleMail.objects.all():
            assert (mail.lease_expires_at is not None) == (mail.status == MailStatus.SENDING)

    @invariant()
    def crashes_are_bounded(self) -> None:
        for task in SampleTask.objects.all():
            assert task.crashes <= MAX_CRASHES
            assert task.crashes < MAX_CRASHES or task.status == Status.FAILED

    @invariant()
    def progress_never_decreases(self) -> None:
        for task in SampleTask.objects.all():
            assert task.rows_done >= self.progress.get(task.pk, 0)
            self.progress[task.pk] = task.rows_done

    @invariant()
    def work_is_finished_once_by_the_current_attempt(self) -> None:
        for task in SampleTask.objects.all():
            finished = task.events.filter(kind=TaskEventKind.FINISHED)
            attempts = list(finished.values_list("attempt", flat=True))
            assert attempts == ([task.attempt] if task.status == Status.SUCCESSFUL else [])
            assert task.result == ("counted" if attempts else "")


@pytest.mark.django_db
def test_random_verb_sequences_keep_promises():
    examples = settings(max_examples=settings().max_examples // 8, stateful_step_count=40)
    run_state_machine_as_test(Tasks, settings=examples)
