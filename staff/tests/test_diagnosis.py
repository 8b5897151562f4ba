"""Diagnosis page: each problem is caused, found, and offered a fix."""

from datetime import timedelta

import django_rq
import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError
from rq.suspension import is_suspended, suspend

from blog.models import AccountMail
from tasks import jobs
from tasks.models import CoreError, MailStatus, SweeperHeartbeat
from tasks.tests.models import SampleMail, SampleTask

from .conftest import LIST

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(hours=2)


@pytest.fixture
def get_page(client, operator, worker):
    """Get the diagnosis page of a site with a running worker and sweeper."""
    SweeperHeartbeat.objects.record_heartbeat()
    client.force_login(operator)
    return lambda: client.get("/admin/diagnosis/").content.decode()


def update(task, **fields):
    SampleTask.objects.filter(pk=task.pk).update(**fields)


def offers_action(page, name, task):
    return f"{LIST}act/{name}/?task={task.pk}" in page


def test_healthy_site_has_no_findings(get_page, task):
    jobs.enqueue_task(task)
    update(task, queued_at=timezone.now() - LONG_AGO)
    assert "Nothing is stuck." in get_page()


def test_lost_job_is_found(get_page, task):
    update(task, queued_at=timezone.now() - LONG_AGO)
    page = get_page()
    assert "neither in the queue nor with a worker" in page
    assert offers_action(page, "rescue", task)


def test_support_sees_only_permitted_fixes(client, support, worker, task):
    SweeperHeartbeat.objects.record_heartbeat()
    client.force_login(support)
    update(task, queued_at=timezone.now() - LONG_AGO)
    page = client.get("/admin/diagnosis/").content.decode()
    assert "neither in the queue nor with a worker" in page
    assert not offers_action(page, "rescue", task)


def test_expired_lease_is_found(get_page, task):
    task.claim()
    update(task, lease_expires_at=timezone.now() - LONG_AGO)
    page = get_page()
    assert "not been heard from for longer than a lease" in page
    assert offers_action(page, "rescue", task)


def test_build_without_worker_is_found(get_page, task):
    task.claim()
    later = timezone.now() + timedelta(minutes=1)
    update(task, started_at=timezone.now() - timedelta(minutes=1), lease_expires_at=later)
    assert "a process without its parent" in get_page()


def test_build_with_worker_is_not_reported(get_page, task, start_job):
    start_job(task)
    task.claim()
    later = timezone.now() + timedelta(minutes=1)
    update(task, started_at=timezone.now() - timedelta(minutes=1), lease_expires_at=later)
    assert "Nothing is stuck." in get_page()


def test_build_over_time_limit_is_found(get_page, task, start_job):
    start_job(task)
    task.claim()
    later = timezone.now() + timedelta(minutes=1)
    update(task, started_at=timezone.now() - LONG_AGO, lease_expires_at=later)
    page = get_page()
    assert "longer than a job may take" in page
    assert offers_action(page, "rescue", task)


def test_worker_with_obsolete_job_is_found(get_page, task, start_job):
    start_job(task)
    task.cancel()
    update(task, finished_at=timezone.now() - LONG_AGO)
    page = get_page()
    assert "works for a task that has ended" in page
    assert f"queues/0/{task.job_id}/" in page


def test_silent_worker_is_found(get_page, worker):
    worker.connection.hset(worker.key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    page = get_page()
    assert "not been heard from for a minute" in page
    assert "No worker is running" in page


def test_missing_worker_is_found(get_page, worker):
    worker.register_death()
    assert "No worker is running" in get_page()


def test_silent_sweeper_is_fixed_by_manual_sweep(get_page, client, operator):
    SweeperHeartbeat.objects.all().delete()
    assert "gives no sign of life" in get_page()
    response = client.post("/admin/diagnosis/", {"fix": "sweep"}, follow=True)
    assert "gives no sign of life" not in response.content.decode()
    assert LogEntry.objects.get().user == operator


def test_paused_workers_are_resumed(get_page, client):
    connection = django_rq.get_connection("default")
    suspend(connection)
    assert "The workers are paused" in get_page()
    client.post("/admin/diagnosis/", {"fix": "resume"})
    assert not is_suspended(connection)


def test_obsolete_job_is_removed_from_queue(get_page, client, task):
    jobs.enqueue_task(task)
    task.cancel()
    assert f"Job {task.job_id} waits in the queue" in get_page()
    client.post("/admin/diagnosis/", {"fix": "remove-job", "target": task.job_id})
    assert django_rq.get_queue("default").get_job_ids() == []
    assert "Nothing is stuck." in get_page()


def test_started_job_without_worker_is_found(get_page, task, worker, start_job):
    start_job(task)
    task.cancel()
    worker.connection.delete(worker.executions_key)
    assert f"RQ takes job {task.job_id} for started, but no worker has it" in get_page()


def test_needed_job_cannot_be_removed(get_page, client, task):
    jobs.enqueue_task(task)
    response = client.post("/admin/diagnosis/", {"fix": "remove-job", "target": task.job_id})
    assert response.status_code == 404
    assert django_rq.get_queue("default").get_job_ids() == [task.job_id]


@pytest.mark.parametrize("fix", ["", "explode", "remove-job"])
def test_unknown_fix_is_not_found(get_page, client, fix):
    assert client.post("/admin/diagnosis/", {"fix": fix}).status_code == 404


def test_overdue_and_abandoned_mails_are_found(get_page, task):
    task.claim()
    task.fail(CoreError.ERROR, "")
    SampleMail.objects.update(next_try_at=timezone.now() - LONG_AGO)
    assert "no job is there that would send it" in get_page()
    SampleMail.objects.update(status=MailStatus.SENDING, lease_expires_at=timezone.now() - LONG_AGO)
    assert "its sender is silent" in get_page()


def test_task_of_closed_account_is_found(get_page, task):
    jobs.enqueue_task(task)
    task.owner.is_active = False
    task.owner.save()
    page = get_page()
    assert "account is closed" in page
    assert offers_action(page, "cancel", task)


def test_unreachable_broker_hides_queue_findings(get_page, client, monkeypatch, task):
    task.claim()
    task.fail(CoreError.ERROR, "")
    SampleMail.objects.update(next_try_at=timezone.now() - LONG_AGO)

    def fail(*args, **kwargs):
        raise RedisConnectionError("unreachable")

    monkeypatch.setattr("django_rq.get_queue", fail)
    monkeypatch.setattr("django_rq.get_connection", fail)
    page = get_page()
    assert "The broker does not answer (unreachable)" in page
    assert "no job is there that would send it" not in page
    answer = client.post("/admin/diagnosis/", {"fix": "resume"}, follow=True)
    assert "The broker does not answer" in answer.content.decode()


def test_findings_cover_account_mails(client, staff, worker):
    SweeperHeartbeat.objects.record_heartbeat()
    AccountMail.objects.create(
        to="alice@microblog.example", next_try_at=timezone.now() - LONG_AGO, text="a link"
    )
    client.force_login(staff)
    page = client.get("/admin/diagnosis/").content.decode()
    assert "This e-mail is due, but no job is there that would send it." in page
    assert "/admin/blog/accountmail/" in page
    assert "alice@microblog.example" not in page
