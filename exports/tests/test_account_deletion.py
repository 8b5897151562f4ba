"""Deletion of an account that has exports."""

import django_rq
import pytest

from blog.accounts import deletion
from blog.models import AccountMail, User
from conftest import delete_account, run_jobs
from exports.archive import build as archive
from exports.models import ExportEvent, ExportTask
from exports.models.task import archive_storage
from tasks import jobs, sweeper
from tasks.models.clock import from_now

pytestmark = pytest.mark.django_db(transaction=True)


def test_deletion_removes_archives_and_rows(alice, finished_task):
    name = finished_task.archive.name
    assert archive_storage().exists(name)
    delete_account(alice)
    assert not archive_storage().exists(name)
    assert not ExportTask.objects.exists()
    assert not ExportEvent.objects.exists()


def test_deletion_removes_waiting_job_from_queue(alice, task):
    jobs.enqueue_task(task)
    delete_account(alice)
    assert task.job_id not in django_rq.get_queue("default").get_job_ids()
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)


def test_deletion_stops_running_build_without_leftovers(
    alice, task, create_posts, monkeypatch, mailoutbox
):
    create_posts(alice, 3)
    store = archive.store
    stored = []

    def delete_account_and_store(*args):
        deletion.request_deletion(alice)
        stored.append(store(*args))
        return stored[0]

    monkeypatch.setattr(archive, "store", delete_account_and_store)
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    assert len(stored) == 1
    assert not archive_storage().exists(stored[0])
    assert not list(archive.temporary_folder().iterdir())
    assert [mail.subject for mail in mailoutbox] == []


def test_sweeper_enqueues_lost_account_mail_once(alice, monkeypatch):
    mail = AccountMail.objects.create(
        user=alice,
        to=alice.email,
        subject="Hello",
        text="words",
        html="words",
        next_try_at=from_now(60),
    )
    queue = django_rq.get_queue("default")
    sweeper.sweep()
    assert queue.get_job_ids() == []
    AccountMail.objects.update(next_try_at=from_now(-1))
    sweeper.sweep()
    sweeper.sweep()
    assert queue.get_job_ids() == [mail.job_id]


def test_deletion_by_staff_removes_archives_and_jobs(client, staff, alice, bob, finished_task):
    name = finished_task.archive.name
    waiting, _ = ExportTask.objects.request(bob)
    jobs.enqueue_task(waiting)
    client.force_login(staff)
    form = {"action": "delete_selected", "_selected_action": [alice.pk, bob.pk], "post": "yes"}
    client.post("/admin/blog/user/", form)
    assert not User.objects.filter(username__in=["alice", "bob"], is_active=True).exists()
    run_jobs()
    assert not ExportTask.objects.exists()
    assert not archive_storage().exists(name)
    assert waiting.job_id not in django_rq.get_queue("default").get_job_ids()
