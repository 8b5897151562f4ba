"""Archives whose file is truncated, altered or gone after the build."""

from pathlib import Path

import pytest
from django.core import mail

from blog.models import Notification
from exports import delivery
from exports.models import ErrorCode, Event, ExportMail, ExportTask, MailStatus, Purpose, Status
from tasks import jobs, sweeper
from tasks.models import Undeliverable
from tasks.models.clock import from_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def extend(path):
    path.write_bytes(path.read_bytes() + b" ")


def alter(path):
    path.write_bytes(path.read_bytes().replace(b"alice", b"malle"))


def remove(path):
    path.unlink()


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


VISIBLE = [truncate, empty, extend, remove]  # without reading the contents
SILENT = [alter]


@pytest.fixture
def archive(finished_task):
    """Return the path of the archive of a finished export."""
    path = Path(finished_task.archive.path)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def resent(finished_task, alice):
    """Return another mail of the archive, to be sent."""
    return finished_task.resend(alice)


def send(export_mail):
    jobs.send_mail("exports.ExportMail", str(export_mail.pk), 0)
    export_mail.refresh_from_db()


def failure_mails(task):
    return task.mails.filter(purpose=Purpose.FAILURE)


def assert_reported(task, caplog):
    task.refresh_from_db()
    assert (task.status, task.error_code) == (Status.FAILED, ErrorCode.DAMAGED)
    assert not task.is_downloadable
    assert failure_mails(task).count() == 1
    [error] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert str(task.pk) in error.getMessage()


@pytest.mark.parametrize("damage", [*VISIBLE, *SILENT])
def test_damaged_archive_is_not_mailed(finished_task, archive, resent, caplog, damage):
    damage(archive)
    send(resent)
    assert (resent.status, mail.outbox) == (MailStatus.GAVE_UP, [])
    assert_reported(finished_task, caplog)
    assert not archive.exists()


@pytest.mark.parametrize("damage", VISIBLE)
def test_mail_does_not_link_to_damaged_archive(
    finished_task, archive, resent, settings, caplog, damage
):
    settings.EXPORT_MAIL_LIMIT = 1000
    damage(archive)
    send(resent)
    assert mail.outbox == []
    assert_reported(finished_task, caplog)


@pytest.mark.parametrize("damage", VISIBLE)
def test_damaged_archive_is_not_offered_after_a_click(
    client, alice, finished_task, archive, caplog, damage
):
    client.force_login(alice)
    damage(archive)
    response = client.get(f"/exports/{finished_task.pk}/download/", follow=True)
    assert response.redirect_chain == [(finished_task.get_absolute_url(), 302)]
    page = response.content.decode()
    assert "The file was damaged or lost." in page
    assert "Export again" in page
    assert "be created" not in page
    assert "This archive has been deleted." not in page
    assert_reported(finished_task, caplog)
    assert not finished_task.events.filter(kind=Event.DOWNLOADED).exists()
    assert client.get(f"/exports/{finished_task.pk}/download/").status_code == 404


@pytest.mark.parametrize("damage", VISIBLE)
def test_accelerated_download_is_checked(client, alice, finished_task, archive, settings, damage):
    settings.EXPORT_ACCEL_PREFIX = "/archives"
    client.force_login(alice)
    assert "X-Accel-Redirect" in client.get(f"/exports/{finished_task.pk}/download/").headers
    damage(archive)
    response = client.get(f"/exports/{finished_task.pk}/download/")
    assert response.url == finished_task.get_absolute_url()


def test_owner_is_told_and_may_request_at_once(client, alice, finished_task, archive, settings):
    settings.EXPORT_COOLDOWN = 600
    client.force_login(alice)
    remove(archive)
    client.get(f"/exports/{finished_task.pk}/download/")
    jobs.send_mail("exports.ExportMail", str(failure_mails(finished_task).get().pk), 0)
    [message] = mail.outbox
    assert "can no longer be used" in message.body
    assert "The file was damaged or lost." in message.body
    assert "be created" not in message.body
    note = Notification.objects.get(name=finished_task.notification_name)
    assert note.payload["error_code"] == ErrorCode.DAMAGED
    assert note.read_at is None
    assert "Your archive can no longer be used" in client.get("/").content.decode()
    client.post("/exports/", {"kind": "posts"})
    assert alice.export_tasks.unfinished().count() == 1


def test_damage_is_reported_once(finished_task, archive, caplog):
    remove(archive)
    for _ in range(2):
        with pytest.raises(Undeliverable):
            delivery.compose_for_owner(ExportMail(task=finished_task, purpose=Purpose.ARCHIVE))
    assert_reported(finished_task, caplog)


def test_expired_archive_is_no_damage(finished_task, archive, resent, caplog):
    ExportTask.objects.update(archive_expires_at=from_now(-1))
    sweeper.sweep()
    send(resent)
    assert resent.status == MailStatus.GAVE_UP
    finished_task.refresh_from_db()
    assert finished_task.status == Status.SUCCESSFUL
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_unreadable_archive_is_tried_again(finished_task, archive, resent):
    replace_by_folder(archive)
    size = archive.stat().st_size
    ExportTask.objects.update(archive_bytes=size)  # so that the size does not tell
    send(resent)
    assert resent.status == MailStatus.PENDING
    archive.rmdir()


def test_archive_without_recorded_checksum_is_mailed(finished_task, archive, resent):
    ExportTask.objects.update(archive_bytes=None, archive_sha256="")
    send(resent)
    assert resent.status == MailStatus.SENT
