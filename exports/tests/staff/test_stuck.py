"""Each mismatch is made, and found by its name with the remedy that mends it."""

from datetime import timedelta

import django_rq
import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from rq.suspension import is_suspended, suspend

from exports import jobs
from exports.models import ErrorCode, ExportMail, ExportTask, MailStatus, Status, SweeperSign

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(hours=2)


@pytest.fixture
def look(client, operator, worker):
    """The page, on a site whose processes live."""
    SweeperSign.objects.renew()
    client.force_login(operator)
    return lambda: client.get("/admin/stuck/").content.decode()


def change(task, **fields):
    ExportTask.objects.filter(pk=task.pk).update(**fields)


def is_offered(page, name, task):
    return f"/admin/exports/exporttask/act/{name}/?task={task.pk}" in page


def test_nothing_is_stuck_while_all_goes_well(look, task):
    jobs.enqueue_export(task)
    change(task, queued_at=timezone.now() - LONG_AGO)
    assert "Nothing is stuck." in look()


def test_a_lost_job(look, task):
    change(task, queued_at=timezone.now() - LONG_AGO)
    page = look()
    assert "neither in the queue nor with a worker" in page
    assert is_offered(page, "rescue", task)


def test_support_is_offered_only_what_they_may_do(client, support, worker, task):
    SweeperSign.objects.renew()
    client.force_login(support)
    change(task, queued_at=timezone.now() - LONG_AGO)
    page = client.get("/admin/stuck/").content.decode()
    assert "neither in the queue nor with a worker" in page
    assert not is_offered(page, "rescue", task)
    task.owner.is_active = False
    task.owner.save()
    assert is_offered(client.get("/admin/stuck/").content.decode(), "cancel", task)


def test_a_lapsed_lease(look, task):
    task.claim()
    change(task, lease_expires_at=timezone.now() - LONG_AGO)
    page = look()
    assert "not been heard from for longer than a lease" in page
    assert is_offered(page, "rescue", task)


def test_a_build_that_no_worker_has(look, task):
    task.claim()
    later = timezone.now() + timedelta(minutes=1)
    change(task, started_at=timezone.now() - timedelta(minutes=1), lease_expires_at=later)
    assert "a process without its parent" in look()


def test_a_build_that_a_worker_has_is_no_mismatch(look, task, start_job):
    start_job(task)
    task.claim()
    later = timezone.now() + timedelta(minutes=1)
    change(task, started_at=timezone.now() - timedelta(minutes=1), lease_expires_at=later)
    assert "Nothing is stuck." in look()


def test_a_build_without_end(look, task, start_job):
    start_job(task)
    task.claim()
    later = timezone.now() + timedelta(minutes=1)
    change(task, started_at=timezone.now() - LONG_AGO, lease_expires_at=later)
    page = look()
    assert "longer than an export may take" in page
    assert is_offered(page, "rescue", task)


def test_a_worker_that_works_in_vain(look, task, start_job):
    start_job(task)
    task.cancel()
    change(task, finished_at=timezone.now() - LONG_AGO)
    page = look()
    assert "works for an export that has ended" in page
    assert f"queues/0/{task.job_id}/" in page


def test_a_silent_worker(look, worker):
    worker.connection.hset(worker.key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    page = look()
    assert "not been heard from for a minute" in page
    assert "No worker is running" in page


def test_no_worker(look, worker):
    worker.register_death()
    assert "No worker is running" in look()


def test_a_silent_sweeper_and_a_sweep_by_hand(look, client, operator):
    SweeperSign.objects.all().delete()
    assert "gives no sign of life" in look()
    response = client.post("/admin/stuck/", {"remedy": "sweep"}, follow=True)
    assert "gives no sign of life" not in response.content.decode()
    assert LogEntry.objects.get().user == operator


def test_paused_workers_go_on(look, client):
    connection = django_rq.get_connection("default")
    suspend(connection)
    assert "The workers are paused" in look()
    client.post("/admin/stuck/", {"remedy": "resume"})
    assert not is_suspended(connection)


def test_a_job_whose_export_is_over_is_taken_off_the_queue(look, client, task):
    jobs.enqueue_export(task)
    task.cancel()
    assert f"Job {task.job_id} waits in the queue" in look()
    client.post("/admin/stuck/", {"remedy": "withdraw", "target": task.job_id})
    assert django_rq.get_queue("default").get_job_ids() == []
    assert "Nothing is stuck." in look()


def test_a_job_that_rq_takes_for_started(look, task, worker, start_job):
    start_job(task)
    task.cancel()
    worker.connection.delete(worker.executions_key)
    assert f"RQ takes job {task.job_id} for started, but no worker has it" in look()


def test_a_job_that_is_wanted_stays(look, client, task):
    jobs.enqueue_export(task)
    response = client.post("/admin/stuck/", {"remedy": "withdraw", "target": task.job_id})
    assert response.status_code == 404
    assert django_rq.get_queue("default").get_job_ids() == [task.job_id]


@pytest.mark.parametrize("remedy", ["", "explode", "withdraw"])
def test_other_remedies_are_not_known(look, client, remedy):
    assert client.post("/admin/stuck/", {"remedy": remedy}).status_code == 404


def test_mails_that_nobody_sends(look, task):
    task.claim()
    task.fail(ErrorCode.ERROR, "")
    ExportMail.objects.update(next_try_at=timezone.now() - LONG_AGO)
    assert "no job is there that would send it" in look()
    ExportMail.objects.update(status=MailStatus.SENDING, lease_expires_at=timezone.now() - LONG_AGO)
    assert "the sender has fallen silent" in look()


def test_a_closed_account(look, task):
    jobs.enqueue_export(task)
    task.owner.is_active = False
    task.owner.save()
    page = look()
    assert "account is closed" in page
    assert is_offered(page, "cancel", task)


def test_an_archive_past_its_time(look, task):
    change(
        task, status=Status.SUCCESSFUL, archive="x", archive_expires_at=timezone.now() - LONG_AGO
    )
    assert "time is over, and it is still there" in look()


def test_the_broker_itself_and_nothing_that_only_it_could_tell(look, client, monkeypatch, task):
    from redis.exceptions import ConnectionError as Away

    task.claim()
    task.fail(ErrorCode.ERROR, "")
    ExportMail.objects.update(next_try_at=timezone.now() - LONG_AGO)

    def away(*args, **kwargs):
        raise Away("nobody at home")

    monkeypatch.setattr("django_rq.get_queue", away)
    monkeypatch.setattr("django_rq.get_connection", away)
    page = look()
    assert "The broker does not answer (nobody at home)" in page
    assert "no job is there that would send it" not in page
    answer = client.post("/admin/stuck/", {"remedy": "resume"}, follow=True)
    assert "The broker does not answer" in answer.content.decode()
