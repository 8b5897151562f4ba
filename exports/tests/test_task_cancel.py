import threading
import uuid

import django_rq
import pytest
from django.core import mail
from django.db import connections

from conftest import wait_until
from exports.archive import build as archive
from exports.models import Event, ExportTask, Status
from exports.tests.conftest import build_result
from tasks import jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def cancel(client, alice):
    client.force_login(alice)
    return lambda task: client.post(f"/exports/{task.pk}/cancel/", follow=True).content.decode()


def test_cancel_removes_waiting_job_from_queue(cancel, task):
    jobs.enqueue_task(task)
    assert "Cancelled" in cancel(task)
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert task.events.last().kind == Event.CANCELLED
    assert django_rq.get_queue("default").get_job_ids() == []


def test_job_of_cancelled_task_does_nothing(cancel, task):
    cancel(task)
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert not task.mails.exists()


@pytest.mark.django_db(transaction=True)
def test_cancel_stops_running_build(cancel, task, alice, create_posts, settings):
    settings.EXPORT_MAX_RATE = 20
    create_posts(alice, 2000)
    worker = threading.Thread(
        target=lambda: (
            jobs.run_task("exports.ExportTask", str(task.pk), 1),
            connections.close_all(),
        )
    )
    worker.start()
    wait_until(ExportTask.objects.filter(status=Status.RUNNING, rows_done__gt=0).exists)
    cancel(task)
    worker.join(10)  # an uncancelled build would take 100 seconds
    assert not worker.is_alive()
    assert list(archive.temporary_folder().iterdir()) == []
    assert mail.outbox == []


def test_finished_task_cannot_be_cancelled(cancel, task):
    task.claim()
    task.finish(**build_result("posts/x.json", 0, 0, "0" * 64))
    assert "Too late to cancel" in cancel(task)
    task.refresh_from_db()
    assert task.status == Status.SUCCESSFUL


def test_cancel_works_while_broker_is_down(cancel, task, monkeypatch):
    from redis import Redis

    monkeypatch.setattr(
        "django_rq.queues.get_connection", lambda name: Redis.from_url("unix:///nowhere.sock")
    )
    assert "Cancelled" in cancel(task)


def test_new_request_is_possible_after_cancel(cancel, task, alice):
    cancel(task)
    assert ExportTask.objects.request(alice)[1]


def test_sign_in_does_not_redirect_back_to_cancel(client, task):
    assert "next" not in client.post(f"/exports/{task.pk}/cancel/").url
    assert client.get(f"/exports/{task.pk}/cancel/").status_code == 405


def test_cancel_of_other_users_task_is_404(client, bob, staff, task):
    assert client.post(f"/exports/{task.pk}/cancel/").status_code == 302
    for user in (bob, staff):
        client.force_login(user)
        assert client.post(f"/exports/{task.pk}/cancel/").status_code == 404
        assert client.post(f"/exports/{uuid.uuid4()}/cancel/").status_code == 404
    task.refresh_from_db()
    assert task.status == Status.READY


def test_cancel_requires_post(client, alice, task):
    client.force_login(alice)
    assert client.get(f"/exports/{task.pk}/cancel/").status_code == 405


def test_staff_can_cancel_in_admin(client, staff, task):
    client.force_login(staff)
    client.post("/admin/exports/exporttask/act/cancel/", {"task": str(task.pk)})
    task.refresh_from_db()
    assert task.status == Status.CANCELLED


def test_staff_without_permission_cannot_cancel(client, make_user, task):
    from django.contrib.auth.models import Permission

    viewer = make_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_exporttask"))
    client.force_login(viewer)
    client.post("/admin/exports/exporttask/act/cancel/", {"task": str(task.pk)})
    task.refresh_from_db()
    assert task.status == Status.READY
