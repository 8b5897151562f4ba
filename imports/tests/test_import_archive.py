import io

import pytest
from django.core.management import CommandError, call_command

from blog.models import Post
from imports.tests.readers.test_fixtures import EXPECTED, fixture

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def import_archive(alice, tmp_path):
    def run(content, *arguments):
        path = tmp_path / "archive"
        path.write_bytes(content)
        out = io.StringIO()
        call_command("import_archive", "alice", path, *arguments, stdout=out, stderr=io.StringIO())
        return out.getvalue()

    return run


@pytest.mark.parametrize("source", EXPECTED)
def test_command_imports_each_source_once(alice, import_archive, source):
    content, expected = fixture(source).getvalue(), EXPECTED[source]["imported"]
    assert f"{len(expected)} posts would be imported" in import_archive(content, "--dry-run")
    assert not Post.objects.exists()
    assert f"{len(expected)} posts imported, 0 here already" in import_archive(content)
    assert f"0 posts imported, {len(expected)} here already" in import_archive(content)
    posts = Post.objects.filter(author=alice, source=source)
    assert {(post.source_id, post.body) for post in posts} == {
        (post["source_id"], post["body"]) for post in expected
    }


def test_unknown_file_gives_one_sentence(import_archive):
    with pytest.raises(CommandError, match="This is not an archive"):
        import_archive(b"hello")


def test_command_names_unknown_user(tmp_path):
    with pytest.raises(CommandError, match="No user named 'nobody'"):
        call_command("import_archive", "nobody", tmp_path)


def test_command_names_unreadable_file(alice, tmp_path):
    with pytest.raises(CommandError, match="Cannot read"):
        call_command("import_archive", "alice", tmp_path / "missing")
