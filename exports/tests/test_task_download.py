import hashlib
from contextlib import closing

import pytest

from exports.models import Event, ExportTask
from exports.models.clock import from_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def body(response):
    with closing(response):
        return b"".join(response.streaming_content)


def test_the_owner_gets_the_file(client, alice, finished_task):
    client.force_login(alice)
    response = client.get(f"/exports/{finished_task.pk}/download/")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Content-Disposition"] == 'attachment; filename="posts.json"'
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert hashlib.sha256(body(response)).hexdigest() == finished_task.archive_sha256
    assert finished_task.events.filter(kind=Event.DOWNLOADED).count() == 1


def test_nobody_else_does(client, bob, staff, finished_task):
    url = f"/exports/{finished_task.pk}/download/"
    assert client.get(url).status_code == 302
    for person in (bob, staff):
        client.force_login(person)
        assert client.get(url).status_code == 404


def test_it_is_gone_when_it_has_expired_also_before_the_sweeper_came(client, alice, finished_task):
    client.force_login(alice)
    ExportTask.objects.update(archive_expires_at=from_now(-1))
    assert client.get(f"/exports/{finished_task.pk}/download/").status_code == 404


def test_a_file_that_is_missing_is_a_404(client, alice, finished_task):
    client.force_login(alice)
    finished_task.archive.storage.delete(finished_task.archive.name)
    assert client.get(f"/exports/{finished_task.pk}/download/").status_code == 404


def test_there_is_nothing_to_download_before_it_is_built(client, alice, task):
    client.force_login(alice)
    assert client.get(f"/exports/{task.pk}/download/").status_code == 404


def test_it_only_reads(client, alice, finished_task):
    client.force_login(alice)
    assert client.post(f"/exports/{finished_task.pk}/download/").status_code == 405
