"""An account that staff close while its export is under way."""

import pytest
from django.core import mail

from blog import moderation
from exports import jobs, sweeper
from exports.archive import build as archive
from exports.models import ExportMail, ExportTask, MailStatus, Purpose, Status

pytestmark = pytest.mark.django_db


@pytest.fixture
def close(staff):
    """What staff do in the admin."""
    return lambda user: moderation.deactivate(user, staff)


def test_a_waiting_export_is_not_begun_and_the_sweeper_cancels_it(alice, task, close):
    close(alice)
    assert not task.claim()
    sweeper.sweep()
    task.refresh_from_db()
    assert task.status == Status.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_a_running_one_stops_and_nothing_is_sent(alice, task, close, create_posts, monkeypatch):
    create_posts(alice, 3)
    build = archive.build

    def closed_meanwhile(*args):
        close(alice)
        return build(*args)

    monkeypatch.setattr(archive, "build", closed_meanwhile)
    jobs.run_export(str(task.pk), task.attempt)
    sweeper.sweep()
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert not task.is_downloadable
    assert not task.mails.exists()
    assert mail.outbox == []


def test_its_lease_is_not_renewed(alice, task, close):
    task.claim()
    close(alice)
    assert not task.renew(1)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_when_the_account_is_closed_after_the_build(
    alice, task, close, monkeypatch
):
    deliver = jobs.deliver

    def closed_meanwhile(owed):
        close(alice)
        deliver(owed)

    monkeypatch.setattr(jobs, "deliver", closed_meanwhile)
    jobs.run_export(str(task.pk), task.attempt)
    assert task.mails.get().status == MailStatus.GAVE_UP
    assert mail.outbox == []


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_is_still_owed_is_not_sent(alice, task, close):
    owed = ExportMail.objects.create(
        task=ExportTask.objects.get(pk=task.pk), purpose=Purpose.FAILURE
    )
    close(alice)
    jobs.deliver_mail(str(owed.pk))
    owed.refresh_from_db()
    assert owed.status == MailStatus.GAVE_UP
    assert mail.outbox == []
