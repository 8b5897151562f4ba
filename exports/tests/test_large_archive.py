import hashlib
import io
import json
import zipfile
from contextlib import closing

import pytest
from django.core import mail

from exports import archive, delivery, jobs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def large(alice, task, write_posts, settings):
    """An archive that no mail may carry."""
    settings.EXPORT_MAIL_LIMIT = delivery.BODIES_BYTES
    write_posts(alice, 500)
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
    assert (len(content), hashlib.sha256(content).hexdigest()) == (large.archive_bytes, large.archive_sha256)
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
