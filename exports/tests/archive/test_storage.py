"""Storing archives: durable on a disk, and cancellable while they go to an object store."""

import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from blog.accounts.deletion import request_deletion
from dev.object_store import BUCKET, ObjectStore
from exports.archive import build as archive
from exports.models import ExportTask, Status
from exports.models.task import archive_storage
from imports.models import ImportTask, upload_storage
from microblog.storage import DurableFileSystemStorage
from tasks import sweeper
from tasks.heartbeat import LeaseLost
from tasks.models.clock import from_now

UNREACHABLE = "http://127.0.0.1:1"

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def synced(monkeypatch):
    """Return the paths that were synced, each with the number of its entries at that moment."""
    paths = []

    def fsync(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        paths.append((path, len(list(path.iterdir())) if path.is_dir() else None))

    monkeypatch.setattr(os, "fsync", fsync)
    return paths


def test_archive_and_its_folders_are_synced_after_the_rename(task, synced, monkeypatch, tmp_path):
    storage = DurableFileSystemStorage(location=tmp_path / "archives")
    monkeypatch.setattr(archive, "archive_storage", lambda: storage)
    with archive.open_archive_file(task, bool) as file:
        file.write(b"whole")
        name = archive.store(task, file, keep_alive=lambda: None)
    path = Path(storage.path(name))
    assert synced == [(path, None), (path.parent, 1), (path.parent.parent, 1)]


@pytest.mark.parametrize("name", ["posts/a.json", "imports/a.upload", "a", "one/two/three"])
def test_every_new_file_is_synced(synced, tmp_path, name):
    storage = DurableFileSystemStorage(location=tmp_path / "archives")
    path = Path(storage.path(storage.save(name, ContentFile(b"content"))))
    folders = [folder for folder in path.parents if folder.is_relative_to(tmp_path / "archives")]
    assert [saved for saved, _ in synced] == [path, *folders]
    assert all(entries for _, entries in synced[1:])


def test_archives_and_uploads_are_durable():
    assert isinstance(archive_storage(), DurableFileSystemStorage)
    assert isinstance(upload_storage(), DurableFileSystemStorage)


# Object store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with ObjectStore(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def use_bucket(store, monkeypatch, settings):
    """Keep archives in the bucket of a store at the given address."""
    for name, value in store.env.items():
        monkeypatch.setenv(name, value)

    def use(url):
        options = {"bucket_name": BUCKET, "endpoint_url": url}
        backend = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        settings.STORAGES = settings.STORAGES | {"archives": backend}

    return use


@pytest.fixture
def bucket(store, use_bucket):
    use_bucket(store.url)
    return store


class CancelledAfter:
    """Heartbeat whose lease is lost at the given read of the upload."""

    def __init__(self, reads):
        self.reads = reads

    def __call__(self):
        self.reads -= 1
        if self.reads < 0:
            raise LeaseLost


def write(task, megabytes, keep_alive):
    with archive.open_archive_file(task, lambda size: True) as file:
        for _ in range(megabytes):
            file.write(os.urandom(1 << 20))
        return archive.store(task, file, keep_alive)


@pytest.mark.parametrize(("megabytes", "reads"), [(1, 0), (1, 1), (20, 0), (20, 1), (20, 2)])
def test_cancel_stops_an_upload(task, bucket, megabytes, reads):
    with pytest.raises(LeaseLost):
        write(task, megabytes, CancelledAfter(reads))
    assert bucket.keys() == []
    assert bucket.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


def test_upload_is_complete_while_the_lease_holds(task, bucket):
    name = write(task, 20, lambda: None)
    assert archive_storage().size(name) == 20 << 20
    assert archive.discard(name)
    assert bucket.keys() == []


def test_archive_stays_for_the_sweeper_while_the_store_is_unreachable(use_bucket, caplog):
    use_bucket(UNREACHABLE)
    assert not archive.discard("posts/a.json")
    assert "the sweeper will retry" in caplog.text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["expire", "resend", "request"])
def test_staff_actions_work_while_the_store_is_unreachable(
    client, staff, finished_task, use_bucket, name
):
    use_bucket(UNREACHABLE)
    client.force_login(staff)
    url = f"/admin/exports/exporttask/act/{name}/"
    assert client.post(url, {"task": str(finished_task.pk)}).status_code == 302
    finished_task.refresh_from_db()
    assert bool(finished_task.archive) is (name != "expire")


@pytest.mark.django_db(transaction=True)
def test_sweeper_goes_on_while_the_store_is_unreachable(finished_task, use_bucket):
    use_bucket(UNREACHABLE)
    ExportTask.objects.update(archive_expires_at=from_now(-1))
    assert sweeper.sweep() == []
    finished_task.refresh_from_db()
    assert not finished_task.archive


def test_account_can_be_deleted_while_the_store_is_unreachable(
    alice, downloadable_task, use_bucket, django_capture_on_commit_callbacks
):
    path = Path(downloadable_task.archive.path)
    use_bucket(UNREACHABLE)
    with django_capture_on_commit_callbacks(execute=True):
        request_deletion(alice)
    alice.refresh_from_db()
    assert not alice.is_active
    path.unlink()


def test_import_can_be_cancelled_while_the_store_is_unreachable(client, alice, use_bucket):
    task = ImportTask.objects.create(
        owner=alice, source="mastodon", upload="imports/a.upload", upload_bytes=1
    )
    use_bucket(UNREACHABLE)
    client.force_login(alice)
    assert client.post(f"/imports/{task.pk}/cancel/").status_code == 302
    task.refresh_from_db()
    assert task.status == Status.CANCELLED
    assert ImportTask.objects.with_unneeded_upload().get() == task
