"""Actions that only exports have."""

import django_rq
import pytest

from exports.models import ErrorCode, Event, ExportTask, MailStatus, Purpose, Status
from exports.tests.conftest import build_result
from tasks import jobs

pytestmark = pytest.mark.django_db

LIST = "/admin/exports/exporttask/"


@pytest.fixture
def run_action(client, operator):
    client.force_login(operator)

    def post(name, *tasks):
        keys = {"task": [str(task.pk) for task in tasks]}
        return client.post(f"{LIST}act/{name}/", keys, follow=True).content.decode()

    return post


def job_ids():
    return django_rq.get_queue("default").get_job_ids()


def assert_last_event(task, kind, actor):
    event = task.events.last()
    assert (event.kind, event.actor) == (kind, actor)


@pytest.mark.django_db(transaction=True)
def test_resend_sends_new_mail_with_new_message_id(run_action, finished_task, operator, mailoutbox):
    [first] = finished_task.mails.all()
    run_action("resend", finished_task)
    second = finished_task.mails.exclude(pk=first.pk).get()
    assert second.message_id != first.message_id
    assert_last_event(finished_task, Event.RESENT, operator)
    assert job_ids() == [second.job_id]
    jobs.send_mail("exports.ExportMail", str(second.pk), second.tries)
    assert [mail.extra_headers["Message-ID"] for mail in mailoutbox] == [second.message_id]
    second.refresh_from_db()
    assert second.status == MailStatus.SENT


@pytest.mark.django_db(transaction=True)
def test_resend_twice_sends_one_mail(run_action, finished_task):
    run_action("resend", finished_task)
    assert "was not changed" in run_action("resend", finished_task)
    assert finished_task.mails.count() == 2


def test_failure_mail_can_be_resent(run_action, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    task.mails.update(status=MailStatus.GAVE_UP)
    run_action("resend", task)
    assert task.mails.filter(purpose=Purpose.FAILURE).count() == 2


@pytest.mark.django_db(transaction=True)
def test_expire_action_deletes_the_archive(run_action, finished_task, operator, client, alice):
    storage, name = finished_task.archive.storage, finished_task.archive.name
    assert storage.exists(name)
    run_action("expire", finished_task)
    finished_task.refresh_from_db()
    assert not finished_task.archive
    assert not storage.exists(name)
    assert_last_event(finished_task, Event.EXPIRED, operator)
    client.force_login(alice)
    assert client.get(f"/exports/{finished_task.pk}/download/").status_code == 404


def test_request_action_ignores_the_cooldown(run_action, task, operator, settings):
    settings.EXPORT_COOLDOWN = 600
    task.claim()
    task.finish(**build_result("", 1, 1, ""))
    run_action("request", task)
    new = ExportTask.objects.exclude(pk=task.pk).get()
    assert (new.owner, new.status) == (task.owner, Status.READY)
    assert new.events.get().actor == operator
    assert job_ids() == [new.job_id]


def test_request_action_skips_deactivated_owner(run_action, task):
    task.cancel()
    task.owner.is_active = False
    task.owner.save()
    run_action("request", task)
    assert ExportTask.objects.count() == 1


def test_request_action_fails_when_disk_is_full(run_action, task, settings):
    settings.EXPORT_MIN_FREE = 2**60
    task.cancel()
    assert "was not changed" in run_action("request", task)
    assert ExportTask.objects.count() == 1
