import hashlib
from contextlib import closing

import pytest

from blog import rate_limits
from exports.models import ErrorCode, Event, ExportTask, Status
from tasks import jobs
from tasks.models.clock import from_now

pytestmark = pytest.mark.django_db

EXPORTS = "/api/v1/exports/"


@pytest.fixture
def create_export(api_client):
    return lambda **fields: api_client.post(EXPORTS, fields, content_type="application/json")


@pytest.fixture
def task(alice):
    return ExportTask.objects.request(alice)[0]


def test_export_create_enqueues_task(
    create_export, alice, monkeypatch, django_capture_on_commit_callbacks
):
    enqueued: list[ExportTask] = []
    monkeypatch.setattr(jobs, "enqueue_task", enqueued.append)
    with django_capture_on_commit_callbacks(execute=True):
        response = create_export(kind="posts")
    task = alice.export_tasks.get()
    assert enqueued == [task]
    assert response.status_code == 201
    assert response["Location"].endswith(f"{EXPORTS}{task.pk}/")
    data = response.json()
    assert (data["id"], data["status"], data["percent"]) == (str(task.pk), "READY", 0)
    assert data["text"] == "Your archive is waiting for its turn"
    assert (data["archive"], data["mail"], data["error"]) == (None, None, None)


def test_export_create_returns_unfinished_task(create_export, alice, task):
    response = create_export()
    assert (response.status_code, response.json()["id"]) == (200, str(task.pk))
    assert alice.export_tasks.count() == 1


def test_export_create_rejects_during_cooldown(create_export, alice, task, settings):
    settings.EXPORT_COOLDOWN = 600
    ExportTask.objects.update(status=Status.SUCCESSFUL, finished_at=from_now(-60))
    response = create_export()
    assert response.status_code == 429
    assert 530 <= int(response["Retry-After"]) <= 540
    assert "You can ask for another at" in response.json()["detail"]


def test_export_create_rejects_when_disk_is_full(create_export, alice, settings):
    settings.EXPORT_MIN_FREE = 2**60
    response = create_export()
    assert (response.status_code, response["Content-Type"]) == (503, "application/problem+json")
    assert not alice.export_tasks.exists()


def test_export_create_rejects_unknown_kind(create_export, alice):
    assert create_export(kind="everything").json()["errors"][0]["field"] == "kind"
    assert not alice.export_tasks.exists()


def test_export_create_is_rate_limited(create_export, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "export", rate_limits.Rate(1, 9, 3600))
    assert [create_export().status_code for _ in range(2)] == [201, 429]


def test_export_detail_shows_progress(api_client, task):
    task.rows_total = 200
    task.save()
    task.claim()
    task.renew(100)
    data = api_client.get(f"{EXPORTS}{task.pk}/").json()
    assert (data["status"], data["percent"], data["rows_done"], data["rows_total"]) == (
        "RUNNING",
        50,
        100,
        200,
    )


def test_export_detail_shows_error(api_client, task):
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "")
    data = api_client.get(f"{EXPORTS}{task.pk}/").json()
    assert (data["status"], data["error"]) == (
        "FAILED",
        "It took longer than an export may take.",
    )


def test_export_cancel_twice_conflicts(api_client, task):
    path = f"{EXPORTS}{task.pk}/cancel/"
    response = api_client.post(path)
    assert (response.status_code, response.json()["status"]) == (200, "CANCELLED")
    assert api_client.post(path).status_code == 409


def test_export_list_has_constant_query_count(api_client, alice, task, django_assert_num_queries):
    api_client.get(EXPORTS)
    with django_assert_num_queries(3):
        assert [row["id"] for row in api_client.get(EXPORTS).json()["items"]] == [str(task.pk)]
    ExportTask.objects.bulk_create(
        [ExportTask(owner=alice, status=Status.CANCELLED) for _ in range(25)]
    )
    with django_assert_num_queries(3):
        page = api_client.get(EXPORTS).json()
    assert len(page["items"]) == 20
    assert len(api_client.get(page["older"]).json()["items"]) == 6


def test_export_of_other_user_is_not_found(make_api_client, bob, task):
    other_client = make_api_client(bob)
    assert other_client.get(EXPORTS).json()["items"] == []
    responses = [
        other_client.get(f"{EXPORTS}{task.pk}/"),
        other_client.get(f"{EXPORTS}{task.pk}/download/"),
    ]
    responses.append(other_client.post(f"{EXPORTS}{task.pk}/cancel/"))
    assert [response.status_code for response in responses] == [404, 404, 404]
    task.refresh_from_db()
    assert task.status == Status.READY


@pytest.mark.django_db(transaction=True)
def test_export_download_returns_archive_until_expiry(api_client, alice, task):
    assert api_client.get(f"{EXPORTS}{task.pk}/download/").status_code == 404
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    data = api_client.get(f"{EXPORTS}{task.pk}/").json()
    response = api_client.get(data["archive"]["url"])
    with closing(response):
        content = b"".join(response.streaming_content)
    assert hashlib.sha256(content).hexdigest() == data["archive"]["sha256"]
    assert len(content) == data["archive"]["bytes"]
    assert response["Content-Disposition"] == 'attachment; filename="posts.json"'
    assert response["Cache-Control"] == "no-store"
    assert task.events.filter(kind=Event.DOWNLOADED).count() == 1
    ExportTask.objects.update(archive_expires_at=from_now(-1))
    assert api_client.get(f"{EXPORTS}{task.pk}/download/").status_code == 404
    assert api_client.get(f"{EXPORTS}{task.pk}/").json()["archive"] is None
