import hashlib
import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, execute_from_command_line
from model_bakery import baker

from blog.models import User
from exports.archive import build as archive

pytestmark = pytest.mark.django_db


@pytest.fixture
def author() -> User:
    return User.objects.create_user("Ann.Author")


def export(username: str, output: Path) -> str:
    out = StringIO()
    call_command("export_posts", username, output=output, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_export_posts_writes_all_posts_oldest_first(author: User, tmp_path: Path) -> None:
    second = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
    baker.make("blog.Post", author=author, body="second", created_at=second)
    baker.make(
        "blog.Post",
        author=author,
        body="first \u2028 👩‍🚀",
        created_at=second.replace(microsecond=0),
    )
    baker.make("blog.Post", body="not mine")
    output = tmp_path / "posts.json"

    printed = export("ann.author", output)

    assert json.loads(output.read_bytes()) == {
        "version": 1,
        "username": "Ann.Author",
        "posts": [
            {"body": "first \u2028 👩‍🚀", "timestamp": "2026-11-23T10:00:00Z"},
            {"body": "second", "timestamp": "2026-11-23T10:00:00.123456Z"},
        ],
        "count": 2,
    }
    assert f"2 posts, {output.stat().st_size} bytes" in printed
    assert hashlib.sha256(output.read_bytes()).hexdigest() in printed


def test_exported_empty_archive_is_valid(author: User, tmp_path: Path) -> None:
    export(author.username, tmp_path / "posts.json")
    call_command("verify_archive", tmp_path / "posts.json", stdout=StringIO(), stderr=StringIO())


def test_exported_file_is_private_and_replaces_older(author: User, tmp_path: Path) -> None:
    output = tmp_path / "posts.json"
    output.write_text("older")
    export(author.username, output)
    assert json.loads(output.read_text())["count"] == 0
    assert output.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()]
)
def test_failed_export_leaves_no_file(
    author: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def build(kind, owner, out, progress):
        out.write(b"{")
        raise error

    monkeypatch.setattr(archive, "build", build)
    with pytest.raises((CommandError, ValueError)):
        export(author.username, tmp_path / "posts.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["missing/posts.json", "."])
def test_unwritable_path_gives_one_line_error(author: User, tmp_path: Path, path: str) -> None:
    with pytest.raises(CommandError, match=r"^Cannot write [^\n]+$"):
        export(author.username, tmp_path / path)


def test_unknown_username_gives_one_line_error() -> None:
    with pytest.raises(CommandError, match=r"^No user named 'no\\nbody'\.$"):
        export("no\nbody", Path("posts.json"))


@pytest.mark.django_db(transaction=True)
def test_unknown_username_exits_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(
            ["manage.py", "export_posts", "nobody", f"--output={tmp_path}/posts.json"]
        )
    assert ended.value.code == 1
    assert capsys.readouterr().err == "CommandError: No user named 'nobody'.\n"
