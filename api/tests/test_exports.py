import hashlib
from contextlib import closing

import pytest

from blog import rate_limits as limits
from exports import jobs
from exports.models import ErrorCode, Event, ExportTask, Status
from exports.models.clock import from_now

pytestmark = pytest.mark.django_db

EXPORTS = "/api/v1/exports/"


@pytest.fixture
def ask(api_client):
    return lambda **fields: api_client.post(EXPORTS, fields, content_type="application/json")


@pytest.fixture
def task(alice):
    return ExportTask.objects.request(alice.pk)[0]


def test_an_archive_is_asked_for_and_handed_out(
    ask, alice, monkeypatch, django_capture_on_commit_callbacks
):
    handed_out: list[ExportTask] = []
    monkeypatch.setattr(jobs, "enqueue_export", handed_out.append)
    with django_capture_on_commit_callbacks(execute=True):
        answer = ask(kind="posts")
    task = alice.export_tasks.get()
    assert handed_out == [task]
    assert answer.status_code == 201
    assert answer["Location"].endswith(f"{EXPORTS}{task.pk}/")
    shown = answer.json()
    assert (shown["id"], shown["status"], shown["percent"]) == (str(task.pk), "READY", 0)
    assert shown["text"] == "Your archive is waiting for its turn"
    assert (shown["archive"], shown["mail"], shown["error"]) == (None, None, None)


def test_asking_again_gives_the_one_under_way(ask, alice, task):
    answer = ask()
    assert (answer.status_code, answer.json()["id"]) == (200, str(task.pk))
    assert alice.export_tasks.count() == 1


def test_the_pause_between_two_says_when_it_ends(ask, alice, task, settings):
    settings.EXPORT_COOLDOWN = 600
    ExportTask.objects.update(status=Status.SUCCESSFUL, finished_at=from_now(-60))
    answer = ask()
    assert answer.status_code == 429
    assert 530 <= int(answer["Retry-After"]) <= 540
    assert "You can ask for another at" in answer.json()["detail"]


def test_a_nearly_full_disk_takes_no_requests(ask, alice, settings):
    settings.EXPORT_MIN_FREE = 2**60
    answer = ask()
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert not alice.export_tasks.exists()


def test_an_unknown_kind_is_refused(ask, alice):
    assert ask(kind="everything").json()["errors"][0]["field"] == "kind"
    assert not alice.export_tasks.exists()


def test_asking_without_end_is_refused(ask, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(limits.RATES, "export", limits.Rate(1, 9, 3600))
    assert [ask().status_code for _ in range(2)] == [201, 429]


def test_it_tells_how_far_it_is(api_client, task):
    task.rows_total = 200
    task.save()
    task.claim()
    task.renew(100)
    shown = api_client.get(f"{EXPORTS}{task.pk}/").json()
    assert (shown["status"], shown["percent"], shown["rows_done"], shown["rows_total"]) == (
        "RUNNING",
        50,
        100,
        200,
    )


def test_it_tells_why_it_failed(api_client, task):
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "")
    shown = api_client.get(f"{EXPORTS}{task.pk}/").json()
    assert (shown["status"], shown["error"]) == (
        "FAILED",
        "It took longer than an export may take.",
    )


def test_it_is_cancelled_once(api_client, task):
    path = f"{EXPORTS}{task.pk}/cancel/"
    answer = api_client.post(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    assert api_client.post(path).status_code == 409


def test_the_list_costs_the_same_however_long_it_is(
    api_client, alice, task, django_assert_num_queries
):
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


def test_a_strangers_export_does_not_exist(make_api_client, bob, task):
    stranger = make_api_client(bob)
    assert stranger.get(EXPORTS).json()["items"] == []
    answers = [stranger.get(f"{EXPORTS}{task.pk}/"), stranger.get(f"{EXPORTS}{task.pk}/download/")]
    answers.append(stranger.post(f"{EXPORTS}{task.pk}/cancel/"))
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    task.refresh_from_db()
    assert task.status == Status.READY


@pytest.mark.django_db(transaction=True)
def test_the_archive_is_downloaded(api_client, alice, task):
    assert api_client.get(f"{EXPORTS}{task.pk}/download/").status_code == 404
    jobs.run_export(str(task.pk), task.attempt)
    shown = api_client.get(f"{EXPORTS}{task.pk}/").json()
    answer = api_client.get(shown["archive"]["url"])
    with closing(answer):
        content = b"".join(answer.streaming_content)
    assert hashlib.sha256(content).hexdigest() == shown["archive"]["sha256"]
    assert len(content) == shown["archive"]["bytes"]
    assert answer["Content-Disposition"] == 'attachment; filename="posts.json"'
    assert answer["Cache-Control"] == "no-store"
    assert task.events.filter(kind=Event.DOWNLOADED).count() == 1
    ExportTask.objects.update(archive_expires_at=from_now(-1))
    assert api_client.get(f"{EXPORTS}{task.pk}/download/").status_code == 404
    assert api_client.get(f"{EXPORTS}{task.pk}/").json()["archive"] is None
