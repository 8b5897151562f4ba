import hashlib
import io
import json
import zipfile
from contextlib import closing

import pytest
from django.core import mail

from exports import delivery, jobs
from exports.archive import build as archive
from exports.heartbeat import Heartbeat, LeaseLost
from exports.models import Status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def large(alice, task, create_posts, settings):
    """An archive that no mail may carry."""
    settings.EXPORT_MAIL_LIMIT = delivery.BODIES_BYTES
    create_posts(alice, 500)
    jobs.run_export(str(task.pk), task.attempt)
    task.refresh_from_db()
    return task


def test_it_is_packed_and_linked(client, alice, large):
    assert large.archive.name.endswith(".zip")
    assert mail.outbox[0].attachments == []
    assert f"http://testserver/exports/{large.pk}/" in mail.outbox[0].body
    client.force_login(alice)
    response = client.get(f"/exports/{large.pk}/download/")
    assert response.headers["Content-Disposition"] == 'attachment; filename="posts.zip"'
    assert response.headers["Content-Type"] == "application/zip"
    with closing(response):
        content = b"".join(response.streaming_content)
    assert (len(content), hashlib.sha256(content).hexdigest()) == (
        large.archive_bytes,
        large.archive_sha256,
    )
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.namelist() == ["posts.json"]
        assert packed.testzip() is None
        assert json.loads(packed.read("posts.json"))["count"] == 500


def test_no_part_file_stays(large):
    assert list(archive.parts_folder().iterdir()) == []


def test_the_server_in_front_may_send_it(client, alice, large, settings):
    settings.EXPORT_ACCEL_PREFIX = "/archives/"
    client.force_login(alice)
    response = client.get(f"/exports/{large.pk}/download/")
    assert response.headers["X-Accel-Redirect"] == f"/archives/{large.archive.name}"
    assert response.headers["Content-Disposition"] == 'attachment; filename="posts.zip"'
    assert response.content == b""


def encoded(size):
    """The least limit under which an archive of that size is mailed as it is."""
    limit = delivery.BODIES_BYTES + (size + 2) // 3 * 4
    return limit + (size + 2) // 3 * 4 // 76 * 2


@pytest.mark.parametrize(("spare", "suffix"), [(1, ".json"), (0, ".json"), (-1, ".zip")])
def test_it_is_packed_only_where_a_mail_cannot_hold_it(
    alice, task, create_posts, build_archive, settings, spare, suffix
):
    create_posts(alice, 500)
    plain = build_archive(alice)
    settings.EXPORT_MAIL_LIMIT = encoded(len(plain)) + spare
    jobs.run_export(str(task.pk), task.attempt)
    task.refresh_from_db()
    assert task.archive.name.endswith(suffix)
    with task.archive.open("rb") as file:
        content = file.read()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (
        task.archive_bytes,
        task.archive_sha256,
    )
    assert unpacked(content) == plain
    assert len(mail.outbox[0].attachments) == (suffix == ".json")


@pytest.mark.parametrize("limit", [0, 10_000, 20_000])
def test_it_does_not_matter_where_it_outgrows_a_mail(
    alice, task, create_posts, build_archive, settings, monkeypatch, limit
):
    monkeypatch.setattr(archive, "CHUNK_ROWS", 10)
    create_posts(alice, 500)
    settings.EXPORT_MAIL_LIMIT = delivery.BODIES_BYTES + limit
    jobs.run_export(str(task.pk), task.attempt)
    task.refresh_from_db()
    with task.archive.open("rb") as file:
        assert unpacked(file.read()) == build_archive(alice)
    assert list(archive.parts_folder().iterdir()) == []


def test_a_cancelled_one_leaves_no_file(alice, task, create_posts, settings, monkeypatch):
    monkeypatch.setattr(archive, "CHUNK_ROWS", 10)
    settings.EXPORT_MAIL_LIMIT = delivery.BODIES_BYTES
    create_posts(alice, 500)
    suffixes: list[str] = []

    def report(heartbeat, rows_done):
        if rows_done == 100:
            suffixes.extend(path.name.split(".", 1)[1] for path in archive.parts_folder().iterdir())
            raise LeaseLost

    monkeypatch.setattr(Heartbeat, "report", report)
    jobs.run_export(str(task.pk), task.attempt)
    assert suffixes == ["zip.part"]
    assert list(archive.parts_folder().iterdir()) == []
    task.refresh_from_db()
    assert task.status == Status.RUNNING
    assert not task.archive


def unpacked(content):
    if not content.startswith(b"PK"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.testzip() is None
        return packed.read("posts.json")
