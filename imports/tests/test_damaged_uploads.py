"""Whatever the bytes of an upload are, its owner gets a preview or one sentence."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from blog.models import Post
from imports.archives import ArchiveError, Problem
from imports.models import ImportTask
from imports.phases import delete_file, preview
from imports.tests.readers.test_fixtures import EXPECTED, fixture
from imports.uploads import create_task
from tasks.models import TaskFailed

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), max_size=5)


class Progress:
    def report(self, rows_done):
        pass


def damaged(content, flips, share):
    """Return the beginning of the content with flipped bits."""
    data = bytearray(content)
    for position, bit in flips:
        data[int(position * len(data))] ^= 1 << bit
    return bytes(data[: int(share * len(data))])


def outcome(owner, content):
    """Upload and preview; return the number of posts, or the problem of a refused file."""
    try:
        task = create_task(owner, SimpleUploadedFile("archive", content))
    except ArchiveError as error:
        return error.problem
    try:
        return preview(task, Progress())["preview"]["posts"]
    except TaskFailed as error:
        return Problem(error.code)
    finally:
        delete_file(task.upload.name)


@pytest.mark.parametrize("source", EXPECTED)
@given(flips=FLIPS, share=st.just(1.0) | st.floats(0, 1))
def test_damaged_upload_is_previewed_or_refused(alice, source, flips, share):
    ImportTask.objects.all().delete()
    content = fixture(source).getvalue()
    count = len(EXPECTED[source]["imported"])
    assert outcome(alice, content) == count
    ImportTask.objects.all().delete()
    result = outcome(alice, damaged(content, flips, share))
    assert isinstance(result, Problem) or 0 <= result <= count
    assert not Post.objects.exists()
