"""When a request is refused, and what is said then."""

import pytest

from blog import rate_limits
from exports import jobs
from exports.archive import build as archive
from exports.models import ErrorCode, ExportTask, Status
from exports.models.clock import from_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(client, alice):
    client.force_login(alice)
    return lambda: client.post("/exports/", follow=True).content.decode()


@pytest.fixture
def cooldown(settings):
    settings.EXPORT_COOLDOWN = 600


def end(task, status):
    task.claim()
    ExportTask.objects.filter(pk=task.pk).update(
        status=status, finished_at=from_now(-60), error_code=ErrorCode.ERROR
    )


def test_after_a_success_the_next_allowed_time_is_shown(ask, alice, task, cooldown, client):
    end(task, Status.SUCCESSFUL)
    assert "You can ask for another at" in ask()
    assert alice.export_tasks.count() == 1
    for url in ("/exports/", "/@alice/"):
        text = client.get(url).content.decode()
        assert "You can ask for another" in text
        assert "Export your posts</button>" not in text


def test_it_ends(ask, alice, task, cooldown):
    end(task, Status.SUCCESSFUL)
    ExportTask.objects.update(finished_at=from_now(-601))
    ask()
    assert alice.export_tasks.count() == 2


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_failed_and_cancelled_runs_do_not_count(ask, alice, task, cooldown, status):
    end(task, status)
    ask()
    assert alice.export_tasks.count() == 2


def test_somebody_elses_success_does_not_count(ask, alice, bob, cooldown):
    end(ExportTask.objects.request(bob.pk)[0], Status.SUCCESSFUL)
    ask()
    assert alice.export_tasks.count() == 1


def test_a_nearly_full_disk_takes_no_requests(ask, alice, settings, caplog):
    settings.EXPORT_MIN_FREE = 2**60
    assert "short of disk space" in ask()
    assert not alice.export_tasks.exists()
    assert "EXPORT_MIN_FREE" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_disk_that_has_filled_up_since_fails_the_build_with_its_reason(task, settings):
    settings.EXPORT_MIN_FREE = 2**60
    jobs.run_export(str(task.pk), task.attempt)
    task.refresh_from_db()
    assert (task.status, task.error_code) == (Status.FAILED, ErrorCode.DISK_FULL)
    assert task.owed_mail is not None
    assert list(archive.parts_folder().iterdir()) == []


def test_asking_without_end_gets_a_page_that_says_when_to_go_on(
    client, alice, settings, monkeypatch
):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "export", rate_limits.Rate(1, 9, 3600))
    client.force_login(alice)
    assert client.post("/exports/").status_code == 302
    refused = client.post("/exports/")
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert client.get("/exports/").status_code == 200
