"""Hypothesis machine for any kind of task: an owner, two workers and a sweeper."""

from abc import abstractmethod
from typing import Any

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

FINAL = {Status.SUCCESSFUL, Status.FAILED, Status.CANCELLED}
WORKERS = st.integers(0, 1)


class TaskMachine(RuleBasedStateMachine):
    """Tasks of one owner, and workers that remember a row as they read it, however stale."""

    task_model: Any
    mail_model: Any

    @abstractmethod
    def request_task(self) -> bool:
        """Request a task of `owner`; return whether it is new."""

    @abstractmethod
    def result_of(self, task: Any) -> dict[str, Any]:
        """Return the fields with which an attempt finishes."""

    @abstractmethod
    def check_end(self, task: Any) -> None:
        """Check what this kind of task promises about its result and its mails."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: list[Any] = [None, None]
        self.senders: list[Any] = [None, None]
        self.final_states: dict[Any, str] = {}
        self.progress: dict[Any, int] = {}

    @initialize()
    def start(self) -> None:
        self.task_model.objects.all().delete()
        User.objects.all().delete()
        self.owner = User.objects.create_user("alice", "alice@microblog.example")

    def has_ready(self) -> bool:
        return bool(self.task_model.objects.filter(status=Status.READY).exists())

    def has_pending_mail(self) -> bool:
        return bool(self.mail_model.objects.filter(status=MailStatus.PENDING).exists())

    def holds(self, task: Any) -> bool:
        now = self.task_model.objects.filter(pk=task.pk).values_list("status", "attempt").first()
        return bool(now == (Status.RUNNING, task.attempt))

    @precondition(lambda self: not self.has_ready())
    @rule()
    def request(self) -> None:
        had_unfinished = self.task_model.objects.unfinished().exists()
        assert self.request_task() != had_unfinished

    @precondition(lambda self: any(self.workers))
    @rule()
    def cancel(self) -> None:
        for task in self.task_model.objects.unfinished():
            assert task.cancel()

    @precondition(has_ready)
    @rule(worker=WORKERS)
    def claim(self, worker: int) -> None:
        task = self.task_model.objects.filter(status=Status.READY).first()
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
            "finish": lambda: task.finish(**self.result_of(task)),
            "fail": lambda: task.fail("ERROR", "trace"),
            "crash": lambda: task.crash("killed"),
            "retry": lambda: task.crash("disk", retry_after=5),
            "release": task.release,
        }
        assert verbs[verb]() == held

    @precondition(has_pending_mail)
    @rule(worker=WORKERS)
    def claim_mail(self, worker: int) -> None:
        mail = self.mail_model.objects.filter(status=MailStatus.PENDING).first()
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
        now = self.mail_model.objects.get(pk=mail.pk)
        held = (now.status, now.tries) == (MailStatus.SENDING, mail.tries)
        arguments = [] if verb == "mark_sent" else ["refused"]
        assert getattr(mail, verb)(*arguments) == held

    @rule()
    def sweep_after_lease_expiry(self) -> None:
        running = self.task_model.objects.filter(status=Status.RUNNING)
        running.update(lease_expires_at=from_now(-1))
        sending = self.mail_model.objects.filter(status=MailStatus.SENDING)
        sending.update(lease_expires_at=from_now(-1))
        for task in self.task_model.objects.lease_expired():
            assert task.rescue()
        for mail in self.mail_model.objects.lease_expired():
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
        for task in self.task_model.objects.filter(status=Status.READY):
            assert task.requeue()

    @invariant()
    def at_most_one_is_unfinished(self) -> None:
        assert self.task_model.objects.unfinished().count() <= 1

    @invariant()
    def final_states_never_change(self) -> None:
        now = dict(self.task_model.objects.values_list("pk", "status"))
        for pk, status in self.final_states.items():
            assert now[pk] == status
        self.final_states = {pk: status for pk, status in now.items() if status in FINAL}

    @invariant()
    def each_end_has_one_mail(self) -> None:
        for task in self.task_model.objects.all():
            assert task.mails.count() == int(task.status in (Status.SUCCESSFUL, Status.FAILED))

    @invariant()
    def only_holders_have_a_lease(self) -> None:
        for task in self.task_model.objects.all():
            assert (task.lease_expires_at is not None) == (task.status == Status.RUNNING)
        for mail in self.mail_model.objects.all():
            assert (mail.lease_expires_at is not None) == (mail.status == MailStatus.SENDING)

    @invariant()
    def crashes_are_bounded(self) -> None:
        for task in self.task_model.objects.all():
            assert task.crashes <= MAX_CRASHES
            assert task.crashes < MAX_CRASHES or task.status == Status.FAILED

    @invariant()
    def progress_never_decreases(self) -> None:
        for task in self.task_model.objects.all():
            assert task.rows_done >= self.progress.get(task.pk, 0)
            self.progress[task.pk] = task.rows_done

    @invariant()
    def work_is_finished_once_by_the_current_attempt(self) -> None:
        for task in self.task_model.objects.all():
            finished = task.events.filter(kind=TaskEventKind.FINISHED)
            attempts = list(finished.values_list("attempt", flat=True))
            assert attempts == ([task.attempt] if task.status == Status.SUCCESSFUL else [])

    @invariant()
    def kind_keeps_its_promises(self) -> None:
        for task in self.task_model.objects.all():
            self.check_end(task)


def run(machine: type[TaskMachine]) -> None:
    examples = settings(max_examples=settings().max_examples // 8, stateful_step_count=40)
    run_state_machine_as_test(machine, settings=examples)
