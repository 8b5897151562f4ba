"""Uploads and imports of the tests."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http.response import HttpResponseBase
from django.test import Client
from django.utils import timezone

from blog.models import User
from imports.models import ImportTask
from tasks import jobs


def posts_json(*posts: tuple[str, str]) -> bytes:
    """Return an archive of (timestamp, body)."""
    rows = [{"body": body, "timestamp": timestamp} for timestamp, body in posts]
    document = {"version": 1, "username": "ada", "posts": rows, "count": len(rows)}
    return json.dumps(document).encode()


ARCHIVE = posts_json(
    ("2019-05-17T12:00:00Z", "first"),
    ("2020-05-17T12:00:00Z", "second"),
    ("2020-05-17T12:00:00Z", "second"),
    ("2999-01-01T00:00:00Z", "from the future"),
)


@pytest.fixture
def alice(alice: User) -> User:
    """Return alice, whose account is old enough to import."""
    alice.date_joined = timezone.now() - timedelta(days=30)
    alice.save(update_fields=["date_joined"])
    return alice


@pytest.fixture
def upload(client: Client, alice: User) -> Callable[..., HttpResponseBase]:
    """Upload a file as alice."""
    client.force_login(alice)

    def upload(content: bytes = ARCHIVE, name: str = "posts.json") -> HttpResponseBase:
        return client.post("/imports/", {"file": SimpleUploadedFile(name, content)})

    return upload


@pytest.fixture
def run() -> Callable[[ImportTask], ImportTask]:
    """Run the current attempt of an import, as a worker does."""

    def run(task: ImportTask) -> ImportTask:
        jobs.run_task("imports.ImportTask", str(task.pk), task.attempt)
        return ImportTask.objects.select_related("owner").get(pk=task.pk)

    return run


@pytest.fixture
def previewed(upload: Any, run: Callable[[ImportTask], ImportTask]) -> ImportTask:
    """Upload ARCHIVE as alice and read its preview."""
    upload()
    return run(ImportTask.objects.get())


@pytest.fixture
def confirm(client: Client) -> Callable[..., HttpResponseBase]:
    def confirm(task: ImportTask, **data: Any) -> HttpResponseBase:
        return client.post(task.get_absolute_url(), {"years": ["2019", "2020"]} | data)

    return confirm


@pytest.fixture
def imported(
    previewed: ImportTask,
    confirm: Callable[..., HttpResponseBase],
    run: Callable[[ImportTask], ImportTask],
) -> ImportTask:
    """Import all years of ARCHIVE into alice's account."""
    confirm(previewed)
    previewed.refresh_from_db()
    return run(previewed)
