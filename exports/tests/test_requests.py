"""Rejected requests: cooldown, disk space and rate limit."""

import pytest

from blog import rate_limits
from exports.archive import build as archive
from exports.models import ErrorCode, ExportTask, Status
from tasks import jobs
from tasks.models.clock import from_now

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
    assert "You can ask for another at" in request_export()
    assert alice.export_tasks.count() == 1
    for url in ("/exports/", "/@alice/"):
        text = client.get(url).content.decode()
        assert "You can ask for another" in text
        assert "Export your posts</button>" not in text


def test_cooldown_ends(request_export, alice, task, cooldown):
    finish(task, Status.SUCCESSFUL)
    ExportTask.objects.update(finished_at=from_now(-601))
    request_export()
    assert alice.export_tasks.count() == 2


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
    assert "short of disk space" in request_export()
    assert not alice.export_tasks.exists()
    assert "EXPORT_MIN_FREE" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_full_disk_fails_build_with_reason(task, settings):
    settings.EXPORT_MIN_FREE = 2**60
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    assert (task.status, task.error_code) == (Status.FAILED, ErrorCode.DISK_FULL)
    assert task.pending_mail is not None
    assert list(archive.temporary_folder().iterdir()) == []


def test_too_many_requests_get_429_with_retry_after(client, alice, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "export", rate_limits.Rate(1, 9, 3600))
    client.force_login(alice)
    assert client.post("/exports/").status_code == 302
    refused = client.post("/exports/")
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert client.get("/exports/").status_code == 200
