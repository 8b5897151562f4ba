"""Actions that only exports have."""

import django_rq
import pytest

from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from exports.tests.conftest import build_result
from tasks import jobs, sweeper
from tasks.models.clock import from_now

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
    assert "was skipped" in run_action("resend", finished_task)
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


@pytest.fixture
def unsent_task(transactional_db, task, monkeypatch, create_posts, alice):
    """Build alice's archive while the mail server is away."""

    def fail(*args):
        raise OSError("no mail server")

    create_posts(alice, 3)
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMultiAlternatives.send", fail)
        jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    return task


def expire_by_staff(task, operator):
    assert task.expire(operator)


def expire_in_time(task, operator):
    ExportTask.objects.filter(pk=task.pk).update(archive_expires_at=from_now(-1))
    sweeper.sweep()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("expire", [expire_by_staff, expire_in_time])
def test_expiry_settles_waiting_mail(unsent_task, operator, client, alice, mailoutbox, expire):
    [mail] = unsent_task.mails.all()
    assert mail.status == MailStatus.PENDING
    expire(unsent_task, operator)
    jobs.send_mail("exports.ExportMail", str(mail.pk), mail.tries)
    mail.refresh_from_db()
    assert (mail.status, mailoutbox) == (MailStatus.GAVE_UP, [])
    assert not ExportTask.objects.in_progress().exists()

    client.force_login(alice)
    toast = client.get("/notifications/", {"since": "2020-01-01T00:00:00Z"}).json()
    assert "deleted before it reached you" in str(toast)
    page = client.get(f"/exports/{unsent_task.pk}/").content.decode()
    assert "deleted before it reached you" in page
    assert "on its way" not in page
    assert "download it here" not in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [10_000_000, 0], ids=["attached", "linked"])
def test_claimed_mail_is_given_up_without_archive(
    unsent_task, operator, mailoutbox, settings, limit
):
    settings.EXPORT_MAIL_LIMIT = limit
    [mail] = unsent_task.mails.all()
    mail.claim()
    assert unsent_task.expire(operator)
    mail.refresh_from_db()
    assert mail.status == MailStatus.SENDING
    jobs.deliver(mail)
    mail.refresh_from_db()
    assert (mail.status, mailoutbox) == (MailStatus.GAVE_UP, [])
    assert mail.error == "The archive no longer exists."


@pytest.mark.django_db(transaction=True)
def test_expiry_keeps_mail_about_failure(task, operator, downloadable_task):
    failure = ExportMail.objects.create(task=downloadable_task, purpose=Purpose.FAILURE)
    sent = ExportMail.objects.create(
        task=downloadable_task, purpose=Purpose.ARCHIVE, status=MailStatus.SENT
    )
    assert ExportTask.objects.get(pk=downloadable_task.pk).expire(operator)
    for mail, status in ((failure, MailStatus.PENDING), (sent, MailStatus.SENT)):
        mail.refresh_from_db()
        assert mail.status == status


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
    assert "was skipped" in run_action("request", task)
    assert ExportTask.objects.count() == 1
