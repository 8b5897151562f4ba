import logging
import smtplib

import pytest
from django.core import mail as outbox
from django.core.mail.backends.locmem import EmailBackend as LocMemBackend
from django.db import OperationalError
from rq.timeouts import JobTimeoutException

from tasks import broker, jobs
from tasks.models import CoreError, MailStatus, Status
from tasks.models.clock import from_now

from .conftest import reload
from .models import SampleMail, SampleTask

pytestmark = pytest.mark.django_db(transaction=True)


def run(task):
    jobs.run_task("sample.SampleTask", str(task.pk), task.attempt)
    return reload(task)


def with_problem(task, problem):
    SampleTask.objects.filter(pk=task.pk).update(problem=problem)
    return task


def send(mail):
    jobs.send_mail("sample.SampleMail", str(mail.pk), mail.tries)
    return reload(mail)


def fail_sending(monkeypatch, error):
    def send_messages(self, messages):
        raise error

    monkeypatch.setattr(
        "django.core.mail.backends.locmem.EmailBackend.send_messages", send_messages
    )


@pytest.fixture
def mail(task):
    return SampleMail.objects.create(task=task)


def test_task_is_performed_finished_and_mailed(task):
    task = run(task)
    assert (task.status, task.result, task.rows_done) == (Status.SUCCESSFUL, "counted", 10)
    assert task.mails.get().status == MailStatus.SENT
    assert outbox.outbox[0].to == ["alice@microblog.example"]
    assert [kind for (kind,) in task.events.values_list("kind")] == [
        "REQUESTED",
        "CLAIMED",
        "FINISHED",
        "MAILED",
    ]


def test_second_run_of_job_changes_nothing(task):
    run(task)
    jobs.run_task("sample.SampleTask", str(task.pk), 1)
    assert len(outbox.outbox) == 1


def test_job_of_old_attempt_does_nothing(task):
    task.claim()
    task.crash()
    jobs.run_task("sample.SampleTask", str(task.pk), 1)
    assert reload(task).status == Status.READY


def test_job_cannot_name_another_model():
    with pytest.raises(LookupError):
        jobs.run_task("blog.Post", "1", 1)
    with pytest.raises(LookupError):
        jobs.send_mail("sample.SampleTask", "1", 0)


def test_bug_fails_the_task(task, caplog):
    with_problem(task, "bug")
    with pytest.raises(ValueError, match="a bug"):
        run(task)
    task = reload(task)
    assert (task.status, task.error_code) == (Status.FAILED, CoreError.ERROR)
    assert "ValueError: a bug" in task.traceback
    assert task.mails.count() == 1
    assert broker.read_state().positions == {task.pending_mail.job_id: 1}


def test_impossible_work_fails_without_traceback(task):
    task = run(with_problem(task, "impossible"))
    assert (task.status, task.error_code, task.traceback) == (Status.FAILED, "IMPOSSIBLE", "")


def test_timeout_has_its_own_code(task, monkeypatch):
    def perform(self, heartbeat):
        raise JobTimeoutException

    monkeypatch.setattr(SampleTask, "perform", perform)
    with pytest.raises(JobTimeoutException):
        run(task)
    assert reload(task).error_code == CoreError.TIMEOUT


def test_transient_error_is_retried_with_growing_pause(task, settings):
    settings.EXPORT_TICK_SECONDS = 5
    with_problem(task, "transient")
    pauses = []
    for _ in range(2):
        with pytest.raises(OSError, match="no route"):
            run(reload(task))
        task = reload(task)
        assert task.status == Status.READY
        at = SampleTask.objects.filter(pk=task.pk, queued_at__lt=from_now(-10)).exists()
        pauses.append(at)
        assert "no route to host" in task.traceback
        assert broker.read_state().positions == {}
    assert pauses == [False, False]
    with pytest.raises(OSError, match="no route"):
        run(task)
    assert (reload(task).status, reload(task).error_code) == (Status.FAILED, CoreError.CRASHED)
    assert reload(task).pending_mail.job_id in broker.read_state().positions


def test_sweeper_retries_transient_error_after_pause(task, settings):
    with_problem(task, "transient")
    with pytest.raises(OSError, match="no route"):
        run(task)
    pause = settings.EXPORT_TICK_SECONDS
    late = SampleTask.objects.filter(status=Status.READY, queued_at__lt=from_now(pause - 0.9))
    assert late.exists()


def test_database_error_in_finish_is_transient(task, monkeypatch):
    def finish(self, **result):
        raise OperationalError("read-only")

    monkeypatch.setattr(SampleTask, "finish", finish)
    with pytest.raises(OperationalError):
        run(task)
    assert (reload(task).status, reload(task).crashes) == (Status.READY, 1)


def test_result_of_overtaken_worker_is_discarded(task, monkeypatch):
    discarded = []
    finish = SampleTask.finish

    def overtaken(self, **result):
        reload(self).crash()
        return finish(self, **result)

    monkeypatch.setattr(SampleTask, "finish", overtaken)
    monkeypatch.setattr(
        SampleTask, "discard_result", lambda self, **result: discarded.append(result["result"])
    )
    run(task)
    assert discarded == ["counted"]
    assert reload(task).status == Status.READY
    assert outbox.outbox == []


def test_cancelled_task_stops(task, monkeypatch):
    with_problem(task, "slow")
    renew = SampleTask.renew

    def cancel_first(self, rows_done):
        reload(self).cancel()
        return renew(self, rows_done)

    monkeypatch.setattr(SampleTask, "renew", cancel_first)
    assert run(task).status == Status.CANCELLED


def test_text_is_in_the_owners_language(task, monkeypatch):
    from django.utils.translation import get_language

    languages = []

    def perform(self, heartbeat):
        languages.append(get_language())
        return {}

    monkeypatch.setattr(SampleTask, "perform", perform)
    SampleTask.objects.update(language="es")
    run(task)
    assert languages == ["es"]


# Mails


def test_mail_without_recipient_is_given_up(mail):
    SampleMail.objects.update(problem="nowhere")
    mail = send(mail)
    assert mail.status == MailStatus.GAVE_UP
    assert "no confirmed" in mail.error


def test_fault_in_composing_is_given_up_at_error(mail, caplog):
    SampleMail.objects.update(problem="bug")
    assert send(mail).status == MailStatus.GAVE_UP
    assert "ERROR" in {record.levelname for record in caplog.records}


def test_fault_in_sending_is_given_up_at_error(mail, monkeypatch, caplog):
    fail_sending(monkeypatch, ValueError("header"))
    assert send(mail).status == MailStatus.GAVE_UP
    assert "ERROR" in {record.levelname for record in caplog.records}


def test_busy_server_is_tried_again(mail, monkeypatch):
    with monkeypatch.context() as patched:
        fail_sending(patched, smtplib.SMTPServerDisconnected("closed"))
        mail = send(mail)
    assert (mail.status, mail.tries) == (MailStatus.PENDING, 1)
    assert "closed" in mail.error
    mail = send(mail)
    assert (mail.status, mail.tries, mail.error) == (MailStatus.SENT, 2, "")


def test_refused_recipient_is_given_up_at_once(mail, monkeypatch):
    error = smtplib.SMTPRecipientsRefused({"alice@microblog.example": (550, b"No such user")})
    fail_sending(monkeypatch, error)
    mail = send(mail)
    assert (mail.status, mail.tries) == (MailStatus.GAVE_UP, 1)


def test_large_mail_is_sent_without_attachment(mail, monkeypatch):
    with monkeypatch.context() as patched:
        fail_sending(patched, smtplib.SMTPDataError(552, b"5.3.4 Too big"))
        mail = send(mail)
    assert (mail.status, mail.has_attachment) == (MailStatus.PENDING, False)
    assert SampleMail.objects.due().exists()
    assert send(mail).status == MailStatus.SENT
    assert outbox.outbox[0].attachments == []


def test_large_mail_without_attachment_is_given_up(mail, monkeypatch):
    monkeypatch.setattr(SampleMail, "drop_attachment", lambda self: False)
    fail_sending(monkeypatch, smtplib.SMTPDataError(552, b"5.3.4 Too big"))
    assert send(mail).status == MailStatus.GAVE_UP


def test_mail_job_of_old_try_does_nothing(mail):
    mail.claim()
    mail.retry_later("busy")
    jobs.send_mail("sample.SampleMail", str(mail.pk), 0)
    assert reload(mail).status == MailStatus.PENDING
    assert outbox.outbox == []


def test_lease_is_renewed_while_sending(mail, monkeypatch):
    monkeypatch.setattr("tasks.heartbeat.HEARTBEAT_INTERVAL", 0.01)
    renewed = []
    monkeypatch.setattr(SampleMail, "renew", lambda self: not renewed.append(self.pk))

    def wait(self, messages):
        while not renewed:
            pass

    monkeypatch.setattr(LocMemBackend, "send_messages", wait)
    assert send(mail).status == MailStatus.SENT


# Killed processes

RUN, SEND = "tasks.jobs.run_task", "tasks.jobs.send_mail"


def test_killed_worker_starts_new_attempt_at_once(task):
    task.claim()
    jobs.work_horse_killed(RUN, ["sample.SampleTask", str(task.pk), 1])
    task = reload(task)
    assert (task.status, task.attempt, task.crashes) == (Status.READY, 2, 1)
    assert broker.read_state().positions[task.job_id] == 1


def test_killed_zombie_is_ignored(task):
    task.claim()
    task.crash()
    task.claim()
    jobs.work_horse_killed(RUN, ["sample.SampleTask", str(task.pk), 1])
    assert (reload(task).status, reload(task).crashes) == (Status.RUNNING, 1)


def test_third_kill_is_logged_as_error(task, caplog):
    for attempt in range(1, 4):
        reload(task).claim()
        jobs.work_horse_killed(RUN, ["sample.SampleTask", str(task.pk), attempt])
    assert reload(task).status == Status.FAILED
    assert caplog.records[-1].levelno == logging.ERROR
    assert reload(task).pending_mail.job_id in broker.read_state().positions


def test_kill_while_mailing_retries_the_mail(task):
    task.claim()
    task.finish()
    task.pending_mail.claim()
    jobs.work_horse_killed(RUN, ["sample.SampleTask", str(task.pk), 1])
    mail = task.mails.get()
    assert mail.status == MailStatus.PENDING
    assert mail.job_id in broker.read_state().positions


def test_killed_sender_is_retried_at_once(mail):
    mail.claim()
    jobs.work_horse_killed(SEND, ["sample.SampleMail", str(mail.pk), 0])
    assert reload(mail).status == MailStatus.PENDING
    assert reload(mail).job_id in broker.read_state().positions


def test_mail_of_another_sender_is_left_alone(mail):
    for _ in range(2):
        mail.claim()
        mail.retry_now("killed")
    mail.claim()
    jobs.work_horse_killed(SEND, ["sample.SampleMail", str(mail.pk), 0])
    assert reload(mail).status == MailStatus.SENDING


def test_killed_foreign_job_is_ignored():
    jobs.work_horse_killed("os.system", ["true"])
