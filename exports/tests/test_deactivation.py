"""Deactivation of an account with an unfinished export."""

import pytest
from django.core import mail

from blog import moderation
from exports.archive import build as archive
from exports.models import ExportMail, ExportTask, MailStatus, Purpose, Status
from tasks import jobs, sweeper

pytestmark = pytest.mark.django_db


@pytest.fixture
def deactivate(staff):
    return lambda user: moderation.deactivate(user, staff)


def test_sweeper_cancels_waiting_task_of_deactivated_owner(alice, task, deactivate):
    deactivate(alice)
    assert not task.claim()
    sweeper.sweep()
    task.refresh_from_db()
    assert task.status == Status.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_deactivation_stops_running_build_without_mail(
    alice, task, deactivate, create_posts, monkeypatch
):
    create_posts(alice, 3)
    build = archive.build

    def deactivate_and_build(*args):
        deactivate(alice)
        return build(*args)

    monkeypatch.setattr(archive, "build", deactivate_and_build)
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    sweeper.sweep()
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert not task.is_downloadable
    assert not task.mails.exists()
    assert mail.outbox == []


def test_lease_of_deactivated_owner_is_not_renewed(alice, task, deactivate):
    task.claim()
    deactivate(alice)
    assert not task.renew(1)


@pytest.mark.django_db(transaction=True)
def test_no_mail_if_owner_is_deactivated_after_build(alice, task, deactivate, monkeypatch):
    deliver = jobs.deliver

    def deactivate_and_deliver(pending):
        deactivate(alice)
        deliver(pending)

    monkeypatch.setattr(jobs, "deliver", deactivate_and_deliver)
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    assert task.mails.get().status == MailStatus.GAVE_UP
    assert mail.outbox == []


@pytest.mark.django_db(transaction=True)
def test_pending_mail_of_deactivated_owner_is_given_up(alice, task, deactivate):
    pending = ExportMail.objects.create(
        task=ExportTask.objects.get(pk=task.pk), purpose=Purpose.FAILURE
    )
    deactivate(alice)
    jobs.send_mail("exports.ExportMail", str(pending.pk), pending.tries)
    pending.refresh_from_db()
    assert pending.status == MailStatus.GAVE_UP
    assert mail.outbox == []
