import threading
import uuid

import django_rq
import pytest
from django.core import mail
from django.db import connections

from conftest import wait_until
from exports import jobs
from exports.archive import build as archive
from exports.models import Event, ExportTask, Status

pytestmark = pytest.mark.django_db


@pytest.fixture
def cancel(client, alice):
    client.force_login(alice)
    return lambda task: client.post(f"/exports/{task.pk}/cancel/", follow=True).content.decode()


def test_a_waiting_export_leaves_the_queue(cancel, task):
    jobs.enqueue_export(task)
    assert "Cancelled" in cancel(task)
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert task.events.last().kind == Event.CANCELLED
    assert django_rq.get_queue("default").get_job_ids() == []


def test_its_job_finds_nothing_to_do(cancel, task):
    cancel(task)
    jobs.run_export(str(task.pk), task.attempt)
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert not task.mails.exists()


@pytest.mark.django_db(transaction=True)
def test_a_running_build_stops_at_once_without_file_or_mail(
    cancel, task, alice, create_posts, settings
):
    settings.EXPORT_MAX_RATE = 20
    create_posts(alice, 2000)
    worker = threading.Thread(
        target=lambda: (jobs.run_export(str(task.pk), 1), connections.close_all())
    )
    worker.start()
    wait_until(ExportTask.objects.filter(status=Status.RUNNING, rows_done__gt=0).exists)
    cancel(task)
    worker.join(10)  # the whole build would take ten times as long
    assert not worker.is_alive()
    assert list(archive.parts_folder().iterdir()) == []
    assert mail.outbox == []


def test_what_has_ended_cannot_be_cancelled(cancel, task):
    task.claim()
    task.finish("posts/x.json", 0, 0, "0" * 64)
    assert "Too late to cancel" in cancel(task)
    task.refresh_from_db()
    assert task.status == Status.SUCCESSFUL


def test_a_broker_that_is_away_does_not_matter(cancel, task, monkeypatch):
    from redis import Redis

    monkeypatch.setattr(
        "django_rq.queues.get_connection", lambda name: Redis.from_url("unix:///nowhere.sock")
    )
    assert "Cancelled" in cancel(task)


def test_one_may_ask_again_at_once(cancel, task, alice):
    cancel(task)
    assert ExportTask.objects.request(alice.pk)[1]


def test_whoever_is_not_signed_in_does_not_come_back_to_an_error(client, task):
    assert "next" not in client.post(f"/exports/{task.pk}/cancel/").url
    assert client.get(f"/exports/{task.pk}/cancel/").status_code == 405


def test_nobody_elses_can_be_cancelled(client, bob, staff, task):
    assert client.post(f"/exports/{task.pk}/cancel/").status_code == 302
    for person in (bob, staff):
        client.force_login(person)
        assert client.post(f"/exports/{task.pk}/cancel/").status_code == 404
        assert client.post(f"/exports/{uuid.uuid4()}/cancel/").status_code == 404
    task.refresh_from_db()
    assert task.status == Status.READY


def test_it_takes_a_post(client, alice, task):
    client.force_login(alice)
    assert client.get(f"/exports/{task.pk}/cancel/").status_code == 405


def test_staff_cancel_in_the_admin(client, staff, task):
    client.force_login(staff)
    client.post("/admin/exports/exporttask/act/cancel/", {"task": str(task.pk)})
    task.refresh_from_db()
    assert task.status == Status.CANCELLED


def test_staff_without_the_permission_cannot(client, make_user, task):
    from django.contrib.auth.models import Permission

    watcher = make_user("watcher", is_staff=True)
    watcher.user_permissions.add(Permission.objects.get(codename="view_exporttask"))
    client.force_login(watcher)
    client.post("/admin/exports/exporttask/act/cancel/", {"task": str(task.pk)})
    task.refresh_from_db()
    assert task.status == Status.READY
