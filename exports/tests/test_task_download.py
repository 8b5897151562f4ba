import hashlib
from contextlib import closing

import pytest

from exports.models import Event, ExportTask
from tasks.models.clock import from_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def body(response):
    with closing(response):
        return b"".join(response.streaming_content)


def test_owner_downloads_file(client, alice, finished_task):
    client.force_login(alice)
    response = client.get(f"/exports/{finished_task.pk}/download/")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Content-Disposition"] == 'attachment; filename="posts.json"'
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert hashlib.sha256(body(response)).hexdigest() == finished_task.archive_sha256
    assert finished_task.events.filter(kind=Event.DOWNLOADED).count() == 1


def test_download_by_other_user_is_404(client, bob, staff, finished_task):
    url = f"/exports/{finished_task.pk}/download/"
    assert client.get(url).status_code == 302
    for user in (bob, staff):
        client.force_login(user)
        assert client.get(url).status_code == 404


def test_expired_archive_is_404_before_sweep(client, alice, finished_task):
    client.force_login(alice)
    ExportTask.objects.update(archive_expires_at=from_now(-1))
    assert client.get(f"/exports/{finished_task.pk}/download/").status_code == 404


def test_missing_file_is_404(client, alice, finished_task):
    client.force_login(alice)
    finished_task.archive.storage.delete(finished_task.archive.name)
    assert client.get(f"/exports/{finished_task.pk}/download/").status_code == 404


def test_unfinished_task_has_no_download(client, alice, task):
    client.force_login(alice)
    assert client.get(f"/exports/{task.pk}/download/").status_code == 404


def test_download_rejects_post(client, alice, finished_task):
    client.force_login(alice)
    assert client.post(f"/exports/{finished_task.pk}/download/").status_code == 405
