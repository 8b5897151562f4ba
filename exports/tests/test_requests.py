"""Rejected requests: cooldown, disk space and rate limit."""

import errno
from datetime import timedelta

import pytest

from blog import rate_limits
from blog.formatting import exact_time
from blog.models import User
from exports.archive import build as archive
from exports.models import ErrorCode, ExportTask, Status
from exports.requests import CooldownActive, create_task
from exports.requests import request_export as request_export_of
from tasks import broker, jobs
from tasks.models.clock import from_now
from tasks.models.rows import AccountClosed

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_export(client, alice):
    client.force_login(alice)
    return lambda: client.post("/exports/", follow=True).content.decode()


@pytest.fixture
def cooldown(settings):
    settings.EXPORT_COOLDOWN = 600


def finish(task, status):
    task.claim()
    ExportTask.objects.filter(pk=task.pk).update(
        status=status, finished_at=from_now(-60), error_code=ErrorCode.ERROR
    )


def test_cooldown_shows_next_allowed_time(request_export, alice, task, cooldown, client):
    finish(task, Status.SUCCESSFUL)
    assert "You can request another export after" in request_export()
    assert alice.export_tasks.count() == 1
    for url in ("/exports/", "/@alice/"):
        text = client.get(url).content.decode()
        assert "You can request another export" in text
        assert "Export your posts</button>" not in text


@pytest.mark.parametrize("ages", [(60, 540), (540, 60)])
def test_cooldown_counts_from_last_success(alice, task, cooldown, ages):
    finish(task, Status.SUCCESSFUL)
    other = ExportTask.objects.create(owner=alice, status=Status.SUCCESSFUL)
    for each, age in zip((task, other), ages, strict=True):
        ExportTask.objects.filter(pk=each.pk).update(finished_at=from_now(-age))
    with pytest.raises(CooldownActive) as refusal:
        request_export_of(alice, "posts")
    last_task = refusal.value.last_task
    assert last_task == (task if ages[0] == 60 else other)
    assert exact_time(last_task.next_request_at) in refusal.value.message
    assert last_task.finished_at
    assert last_task.next_request_at - last_task.finished_at == timedelta(seconds=600)


def test_cooldown_ends(request_export, alice, task, cooldown):
    finish(task, Status.SUCCESSFUL)
    ExportTask.objects.update(finished_at=from_now(-601))
    request_export()
    assert alice.export_tasks.count() == 2


@pytest.mark.parametrize("kind", ["posts", "account"])
def test_unfinished_export_comes_before_the_cooldown(client, alice, staff, cooldown, kind):
    finished = ExportTask.objects.request(alice, kind)[0]
    finish(finished, Status.SUCCESSFUL)
    unfinished, _ = create_task(alice, kind, "", actor=staff)
    client.force_login(alice)
    response = client.post("/exports/", {"kind": kind}, follow=True)
    assert response.redirect_chain == [(unfinished.get_absolute_url(), 302)]
    assert "already in progress" in response.content.decode()
    assert request_export_of(alice, kind) == (unfinished, False)
    unfinished.cancel()
    with pytest.raises(CooldownActive):
        request_export_of(alice, kind)


@pytest.mark.both_databases
@pytest.mark.parametrize("kind", ["posts", "account"])
def test_request_for_deleted_account_is_refused(alice, kind):
    owner = User.objects.get(pk=alice.pk)
    alice.delete()
    with pytest.raises(AccountClosed):
        request_export_of(owner, kind)
    with pytest.raises(AccountClosed):
        ExportTask.objects.request(owner, kind)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_failed_or_cancelled_export_starts_no_cooldown(
    request_export, alice, task, cooldown, status
):
    finish(task, status)
    request_export()
    assert alice.export_tasks.count() == 2


def test_cooldown_of_other_user_does_not_count(request_export, alice, bob, cooldown):
    finish(ExportTask.objects.request(bob)[0], Status.SUCCESSFUL)
    request_export()
    assert alice.export_tasks.count() == 1


def test_full_disk_rejects_request(request_export, alice, settings, caplog):
    settings.EXPORT_MIN_FREE = 2**60
    assert "out of disk space" in request_export()
    assert not alice.export_tasks.exists()
    assert "EXPORT_MIN_FREE" in caplog.text


def test_disk_of_web_host_does_not_matter_to_workers_elsewhere(request_export, alice, settings):
    settings.EXPORT_MIN_FREE = 2**60
    settings.SEVERAL_HOSTS = True
    assert "Export requested" in request_export()
    assert alice.export_tasks.get().status == Status.READY


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_build_that_fills_disk_three_times_fails_with_reason(task, break_build, code):
    break_build(OSError(code, "no space"))
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
        task.refresh_from_db()
        assert task.status == Status.READY
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    assert (task.status, task.error_code) == (Status.FAILED, ErrorCode.DISK_FULL)
    assert broker.read_state().positions == {task.pending_mail.job_id: 1}
    assert list(archive.temporary_folder().iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_request_survives_error_of_enqueueing(alice, monkeypatch):
    def fail(task):
        raise RuntimeError

    monkeypatch.setattr(jobs, "enqueue_task", fail)
    task, is_new = request_export_of(alice, "posts")
    assert is_new
    assert ExportTask.objects.get() == task


def test_too_many_requests_get_429_with_retry_after(client, alice, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "export", rate_limits.Rate(1, 9, 3600))
    client.force_login(alice)
    assert client.post("/exports/").status_code == 302
    refused = client.post("/exports/")
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert client.get("/exports/").status_code == 200
