"""Archives in an object store, over HTTP."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.conf import settings

from blog.models import Post, User
from dev.chaos.accounts import Account
from dev.object_store import BUCKET, ObjectStore
from dev.stack import Stack
from exports.models import ExportTask, Status
from tasks.models.clock import from_now

pytestmark = [pytest.mark.integration, pytest.mark.sqlite]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    with ObjectStore(tmp_path) as store:
        yield store


@pytest.fixture
def site(stack: Stack, store: ObjectStore) -> Stack:
    """Return a running stack with archives in the bucket."""
    stack.env |= store.env | {"SECRET_KEY": settings.SECRET_KEY}
    stack.start()
    return stack


@pytest.fixture
def archive(site: Stack, alice: User) -> ExportTask:
    """Return alice's finished export."""
    Post.objects.bulk_create(Post(author=alice, body=f"Post {number}") for number in range(50))
    task = ExportTask.objects.get(pk=Account(alice, site.site_url).request_export())
    wait_until(task, lambda: task.status == Status.SUCCESSFUL)
    return task


def wait_until(task: ExportTask, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
        task.refresh_from_db()


def download(site: Stack, archive: ExportTask, user: User) -> requests.Response:
    """Return the site's response, without following the redirect."""
    session = Account(user, site.site_url).client.session
    return session.get(
        f"{site.site_url}/exports/{archive.pk}/download/", timeout=30, allow_redirects=False
    )


def test_archive_in_bucket_is_private_until_it_expires(site, store, archive, alice, bob, staff):
    """Test everything with one archive, because the stack starts slowly."""
    assert store.keys() == [archive.archive.name]
    body = store.client().get_object(Bucket=BUCKET, Key=archive.archive.name)["Body"].read()
    assert hashlib.sha256(body).hexdigest() == archive.archive_sha256
    assert not (site.var / "archives").exists()
    assert list((site.var / "parts").iterdir()) == []

    response = download(site, archive, alice)
    assert response.status_code == 302
    assert "no-store" in response.headers["Cache-Control"]
    assert parse_qs(urlsplit(response.headers["Location"]).query)["X-Amz-Expires"] == ["60"]
    stored = requests.get(response.headers["Location"], timeout=30)
    assert hashlib.sha256(stored.content).hexdigest() == archive.archive_sha256
    assert stored.headers["Content-Disposition"] == 'attachment; filename="posts.json"'
    assert stored.headers["Content-Type"] == "application/json"
    assert stored.headers["Cache-Control"] == "private, no-store"

    for user in (bob, staff):
        assert download(site, archive, user).status_code == 404
    unsigned = requests.get(f"{store.url}/{BUCKET}/{archive.archive.name}", timeout=30)
    assert unsigned.status_code == 403

    ExportTask.objects.update(archive_expires_at=from_now(-1))
    wait_until(archive, lambda: not archive.archive and store.keys() == [])
    assert download(site, archive, alice).status_code == 404
