import hashlib
import io
import json
import zipfile
from contextlib import closing, suppress

import pytest
from django.core import mail

from exports import delivery
from exports.archive import build as archive
from exports.models import Status
from tasks import jobs
from tasks.heartbeat import Heartbeat, LeaseLost

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def large_task(alice, task, create_posts, settings):
    """Export whose archive is too large for an e-mail."""
    settings.EXPORT_MAIL_LIMIT = delivery.MESSAGE_OVERHEAD_BYTES
    create_posts(alice, 500)
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    return task


def test_large_archive_is_zipped_and_linked(client, alice, large_task):
    assert large_task.archive.name.endswith(".zip")
    assert mail.outbox[0].attachments == []
    assert f"http://testserver/exports/{large_task.pk}/" in mail.outbox[0].body
    client.force_login(alice)
    response = client.get(f"/exports/{large_task.pk}/download/")
    assert response.headers["Content-Disposition"] == 'attachment; filename="posts.zip"'
    assert response.headers["Content-Type"] == "application/zip"
    with closing(response):
        content = b"".join(response.streaming_content)
    assert (len(content), hashlib.sha256(content).hexdigest()) == (
        large_task.archive_bytes,
        large_task.archive_sha256,
    )
    with zipfile.ZipFile(io.BytesIO(content)) as zip_file:
        assert zip_file.namelist() == ["posts.json"]
        assert zip_file.testzip() is None
        assert json.loads(zip_file.read("posts.json"))["count"] == 500


def test_large_build_leaves_no_temporary_file(large_task):
    assert list(archive.temporary_folder().iterdir()) == []


def test_large_archive_is_sent_by_reverse_proxy(client, alice, large_task, settings):
    settings.EXPORT_ACCEL_PREFIX = "/archives/"
    client.force_login(alice)
    response = client.get(f"/exports/{large_task.pk}/download/")
    assert response.headers["X-Accel-Redirect"] == f"/archives/{large_task.archive.name}"
    assert response.headers["Content-Disposition"] == 'attachment; filename="posts.zip"'
    assert response.content == b""


def smallest_mail_limit(size):
    """Return the smallest EXPORT_MAIL_LIMIT that lets an archive of `size` bytes be attached."""
    limit = delivery.MESSAGE_OVERHEAD_BYTES + (size + 2) // 3 * 4
    return limit + (size + 2) // 3 * 4 // 76 * 2


@pytest.mark.parametrize(("spare", "suffix"), [(1, ".json"), (0, ".json"), (-1, ".zip")])
def test_archive_is_zipped_only_above_mail_limit(
    alice, task, create_posts, build_archive, settings, spare, suffix
):
    create_posts(alice, 500)
    plain = build_archive(alice)
    settings.EXPORT_MAIL_LIMIT = smallest_mail_limit(len(plain)) + spare
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    assert task.archive.name.endswith(suffix)
    with task.archive.open("rb") as file:
        content = file.read()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (
        task.archive_bytes,
        task.archive_sha256,
    )
    assert unzip(content) == plain
    assert len(mail.outbox[0].attachments) == (suffix == ".json")


@pytest.mark.parametrize("limit", [0, 10_000, 20_000])
def test_zipped_archive_does_not_depend_on_mail_limit(
    alice, task, create_posts, build_archive, settings, monkeypatch, limit
):
    monkeypatch.setattr(archive, "CHUNK_ROWS", 10)
    create_posts(alice, 500)
    settings.EXPORT_MAIL_LIMIT = delivery.MESSAGE_OVERHEAD_BYTES + limit
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    with task.archive.open("rb") as file:
        assert unzip(file.read()) == build_archive(alice)
    assert list(archive.temporary_folder().iterdir()) == []


def test_progress_stays_complete_while_zipping(
    alice, create_posts, task, progress_spy, monkeypatch
):
    monkeypatch.setattr(archive, "COPY_BYTES", 1000)
    create_posts(alice, 500)
    with archive.open_archive_file(task, can_be_mailed=lambda size: False) as file:
        archive.build("posts", alice, file, progress_spy)
    assert len(progress_spy.reported) > 20
    assert progress_spy.reported[-20:] == [500] * 20


@pytest.mark.parametrize("error", [LeaseLost(), OSError(28, "No space left on device")])
def test_error_while_zipping_leaves_no_file(
    alice, task, create_posts, settings, monkeypatch, error
):
    settings.EXPORT_MAIL_LIMIT = delivery.MESSAGE_OVERHEAD_BYTES
    create_posts(alice, 500)
    suffixes: set[str] = set()

    def report(heartbeat, rows_done):
        suffixes.update(path.name.split(".", 1)[1] for path in archive.temporary_folder().iterdir())
        if "zip.part" in suffixes:
            raise error

    monkeypatch.setattr(Heartbeat, "report", report)
    with suppress(OSError):
        jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    assert suffixes == {"json.part", "zip.part"}
    assert list(archive.temporary_folder().iterdir()) == []
    task.refresh_from_db()
    assert task.status in (Status.RUNNING, Status.READY)
    assert not task.archive


def unzip(content):
    if not content.startswith(b"PK"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as zip_file:
        assert zip_file.testzip() is None
        return zip_file.read("posts.json")
