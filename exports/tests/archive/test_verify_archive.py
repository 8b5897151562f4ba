import hashlib
import json
import zipfile
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from blog.models import Conversation, Post, User

POSTS = [
    {"body": "one", "timestamp": "2026-11-23T10:00:00Z"},
    {"body": "two", "timestamp": "2026-11-23T10:00:00.000001Z"},
    {"body": "three \ud800", "timestamp": "2026-11-23T10:00:00.000001Z"},
]
ARCHIVE = {"version": 1, "username": "alice", "posts": POSTS, "count": 3}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.json"


def verify(file: Path, **options: Any) -> str:
    out = StringIO()
    call_command("verify_archive", file, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def problems(file: Path, **options: Any) -> str:
    err = StringIO()
    with pytest.raises(CommandError, match="is not a valid archive"):
        call_command("verify_archive", file, stdout=StringIO(), stderr=err, **options)
    return err.getvalue()


def test_valid_posts_archive_is_accepted(file: Path) -> None:
    file.write_text(json.dumps(ARCHIVE))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert "OK: 3 posts by alice" in verify(file)
    assert "as expected" in verify(file, sha256=digest.upper())


def test_unknown_properties_are_accepted(file: Path) -> None:
    posts = [post | {"likes": 3} for post in POSTS]
    file.write_text(json.dumps(ARCHIVE | {"posts": posts, "language": "en"}))
    assert "OK" in verify(file)


def test_zipped_posts_archive_is_accepted(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as zip_file:
        zip_file.writestr("posts.json", json.dumps(ARCHIVE))
    assert "OK: 3 posts" in verify(file, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


def test_unrelated_zip_file_is_rejected(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as zip_file:
        zip_file.writestr("other.json", "{}")
    assert "not a zip file with posts.json in it" in problems(file)
    file.write_bytes(file.read_bytes()[:20])
    assert "not a zip file with posts.json in it" in problems(file)


def test_wrong_checksum_is_rejected(file: Path) -> None:
    file.write_text(json.dumps(ARCHIVE))
    assert "SHA-256 mismatch" in problems(file, sha256="0" * 64)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": 2}, "$.version: 1 was expected"),
        ({"username": "a b"}, "$.username: 'a b' does not match"),
        ({"count": 4}, "$.count is 4, but there are 3 posts"),
        ({"count": "3"}, "$.count: '3' is not of type 'integer'"),
        ({"posts": None}, "$.posts: None is not of type 'array'"),
        ({"posts": POSTS[::-1]}, "$.posts[2].timestamp: 2026-11-23T10:00:00Z is earlier"),
        ({"posts": [POSTS[0], 5]}, "$.posts[1]: 5 is not of type 'object'"),
        ({"posts": [{"body": "b"}]}, "$.posts[0]: 'timestamp' is a required property"),
        ({"posts": [POSTS[0] | {"body": "b" * 10_001}]}, "$.posts[0].body: 'bbb"),
        (
            {"posts": [POSTS[0] | {"timestamp": "2026-11-23T10:00:00+00:00"}]},
            "$.posts[0].timestamp: ",
        ),
        (
            {"posts": [POSTS[0] | {"timestamp": "2026-11-23T10:00:00.123Z"}]},
            "$.posts[0].timestamp: ",
        ),
        (
            {"posts": [POSTS[0] | {"timestamp": "2026-13-23T10:00:00Z"}]},
            "$.posts[0].timestamp: month",
        ),
    ],
)
def test_problem_is_reported_with_its_path(
    file: Path, changes: dict[str, Any], problem: str
) -> None:
    file.write_text(json.dumps(ARCHIVE | changes))
    assert problem in problems(file)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b'{"posts": [', b"[" * 100_000, b"\xef\xbb\xbf{}", b"9" * 5000]
)
def test_invalid_json_is_rejected(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert "not JSON in UTF-8" in problems(file)


@pytest.mark.parametrize("content", ["null", "[]", "{}", '"posts"', "1"])
def test_unrelated_json_is_rejected(file: Path, content: str) -> None:
    file.write_text(content)
    assert problems(file)


def test_problem_list_and_its_lines_are_truncated(file: Path) -> None:
    file.write_text(
        json.dumps(ARCHIVE | {"posts": [{"body": "b" * 10_100, "timestamp": ""}] * 100})
    )
    lines = problems(file).splitlines()
    assert len([line for line in lines if line.startswith("$")]) == 10
    assert max(map(len, lines)) == 200


def test_unreadable_file_gives_one_line_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CommandError, match=r"^Cannot read [^\n]+$"):
            verify(path)


@pytest.fixture
def account(db: None, alice: User, build_archive: Callable[..., bytes], tmp_path: Path) -> Path:
    """Write a valid account archive."""
    Post.objects.create(author=alice, body="one")
    file = tmp_path / "account.zip"
    file.write_bytes(build_archive(alice, "account"))
    return file


def repack(file: Path, **changes: str | None) -> None:
    """Replace files in the zip; None removes one."""
    with zipfile.ZipFile(file) as zip_file:
        files: dict[str, Any] = {name: zip_file.read(name) for name in zip_file.namelist()}
    files |= {f"{name}.json": content for name, content in changes.items()}
    with zipfile.ZipFile(file, "w") as zip_file:
        for name, content in files.items():
            if content is not None:
                zip_file.writestr(name, content)


def read_manifest(file: Path) -> dict[str, Any]:
    with zipfile.ZipFile(file) as zip_file:
        found: dict[str, Any] = json.loads(zip_file.read("manifest.json"))
    return found


def test_valid_account_archive_is_accepted(account: Path) -> None:
    digest = hashlib.sha256(account.read_bytes()).hexdigest()
    assert "OK: 3 entries by alice" in verify(account, sha256=digest)


def test_changed_file_is_reported(account: Path) -> None:
    repack(
        account, mutes='{"version": 1, "username": "bob", "mutes": [{"name": "carol"}], "count": 1}'
    )
    found = problems(account)
    assert "mutes.json has another size or SHA-256 than manifest.json says" in found
    assert "mutes.json: $.mutes[0]: 'since' is a required property" in found
    assert "mutes.json has another count or username than manifest.json" in found


def test_missing_and_extra_files_are_reported(account: Path) -> None:
    repack(account, posts=None, photos="{}")
    found = problems(account)
    assert "posts.json is missing" in found
    assert "photos.json is not in manifest.json" in found


def test_wrong_manifest_total_is_reported(account: Path) -> None:
    repack(account, manifest=json.dumps(read_manifest(account) | {"count": 7}))
    assert "is not the sum" in problems(account)


@pytest.mark.parametrize("content", ["{}", "null", "nothing", '{"files": 1}'])
def test_invalid_manifest_is_rejected(account: Path, content: str) -> None:
    repack(account, manifest=content)
    assert "manifest.json: " in problems(account)


def test_conversation_counts_as_its_messages(
    account: Path, alice: User, bob: User, build_archive: Any
) -> None:
    for body in ("hello", "again"):
        Conversation.objects.get_or_create_between(alice, bob).add_message(alice, bob, body)
    account.write_bytes(build_archive(alice, "account"))
    assert "OK: 5 entries" in verify(account)
    with zipfile.ZipFile(account) as zip_file:
        messages = json.loads(zip_file.read("messages.json"))
    repack(account, messages=json.dumps(messages | {"count": 1}))
    assert "messages.json: $.count is 1, but there are 2 messages" in problems(account)
