"""Multipart uploads that a killed process left in the bucket."""

from datetime import timedelta
from uuid import uuid4

import pytest

from dev.object_store import BUCKET
from exports.models import ExportTask
from imports import sweeper as imports_sweeper
from imports.models import upload_storage
from microblog.storage import abort_uploads
from tasks import sweeper

pytestmark = pytest.mark.django_db


def start_upload(bucket, key):
    """Upload one part, as far as a killed process got; return the key."""
    upload = bucket.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    bucket.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    return key


def uploads(bucket):
    listing = bucket.list_multipart_uploads(Bucket=BUCKET)
    return {upload["Key"] for upload in listing.get("Uploads", [])}


def test_uploads_of_dead_processes_are_aborted(bucket, alice, bob, monkeypatch):
    # The test's store says of every upload that it began in 2010.
    monkeypatch.setattr(imports_sweeper, "ORPHAN_AGE", timedelta(days=36500))
    running = ExportTask.objects.request(alice)[0]
    running.claim()
    finished = ExportTask.objects.request(bob)[0]
    kept = {
        start_upload(bucket, f"posts/{running.job_id}.zip"),
        start_upload(bucket, f"imports/{uuid4()}.upload"),  # its browser is still sending
        start_upload(bucket, "backups/of-another-program.tar"),
    }
    for key in (
        f"posts/{running.pk}-0.zip",  # superseded
        f"posts/{finished.job_id}.zip",  # not running
        f"account/{uuid4()}-1.zip",  # its account was deleted
        "posts/stray.json",
    ):
        start_upload(bucket, key)
    assert sweeper.prune() == []
    assert uploads(bucket) == kept

    monkeypatch.setattr(imports_sweeper, "ORPHAN_AGE", timedelta(0))
    assert sweeper.prune() == []
    assert uploads(bucket) == {f"posts/{running.job_id}.zip", "backups/of-another-program.tar"}


def test_upload_that_ended_meanwhile_is_ignored(bucket):
    def abort_first(name, began_at):
        upload = bucket.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["UploadId"]
        bucket.abort_multipart_upload(Bucket=BUCKET, Key=name, UploadId=upload)
        return True

    start_upload(bucket, "posts/stray.json")
    abort_uploads(upload_storage(), "posts/", abort_first)
    assert uploads(bucket) == set()
