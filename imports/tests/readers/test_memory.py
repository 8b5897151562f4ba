"""Peak memory of reading, measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from .builders import activity, bare_file, mastodon_zip, own_post, posts_json

ROOT = Path(__file__).parents[3]
PROGRAM = """
import resource, sys
from django.conf import settings
settings.configure(USE_I18N=False)
import django
django.setup()
from imports.archives import ArchiveError, open_archive
from imports.readers import SortedPosts, find_reader, readers

readers()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with open(sys.argv[1], "rb") as file:
        reader = find_reader(open_archive(file))
        reader.summary
        with SortedPosts(reader.posts()) as posts:
            for _ in posts:
                pass
except ArchiveError as error:
    print(error.problem, file=sys.stderr)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def megabytes(path, content):
    """Return by how much reading the file raises the peak memory of a process."""
    path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return int(done.stdout)


def large_outbox(count):
    return mastodon_zip(*(activity(f"<p>Number {n} {'text ' * 50}</p>", n) for n in range(count)))


def large_posts(count):
    return bare_file(posts_json(*(own_post(f"Number {n} {'text ' * 50}") for n in range(count))))


@pytest.mark.parametrize("build", [large_outbox, large_posts])
def test_memory_does_not_grow_with_posts(build, tmp_path):
    few, many = (
        megabytes(tmp_path / "archive", build(count).getvalue()) for count in (500, 20_000)
    )
    assert many <= few + 6


@pytest.mark.parametrize(
    "content",
    [
        b'{"orderedItems": [' + b"[" * 20_000_000,
        b'{"orderedItems": [{"x": "' + b"x" * 50_000_000,
        b'{"orderedItems": [{"x": ' + b"1" * 50_000_000,
        b'{"orderedItems": [{"x": [' + b"[]," * 15_000_000,
        b'{"orderedItems": [{"x": 1}], "y": ' + b"9" * 50_000_000,
        b'{"orderedItems": [{}], "y": "' + b"x" * 50_000_000,
        b'{"posts": [' + b'{"body":"x","timestamp":"2020-01-01T00:00:00Z"},' * 150_000,
        b"window.YTD.tweets.part0 = " + b" " * 50_000_000,
        b"a@b.example\n" * 5_000_000,
        b"\x3a\xa2\x65roots\x80\x67version\x01" + b"\x01" * 50_000_000,
    ],
    ids=[
        "arrays",
        "string",
        "number",
        "lists",
        "number behind",
        "string behind",
        "equal posts",
        "spaces",
        "names",
        "CAR",
    ],
)
def test_memory_is_bounded_for_bombs(content, tmp_path):
    assert megabytes(tmp_path / "archive", content) < 64
