"""The invented archives of each source, text by text."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from imports.archives import open_archive
from imports.readers import ExcludedItem, ImportablePost, SortedPosts, find_reader

FIXTURES = Path(__file__).parent.parent / "fixtures"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text())
# What expected.json calls the reasons.
NAMES = {
    "followers only": "FOLLOWERS_ONLY",
    "direct": "DIRECT",
    "boost": "BOOST",
    "date": "DATE",
    "retweet": "RETWEET",
    "older edit": "OLDER_EDIT",
    "deleted": "DELETED",
    "repost": "REPOST",
}


def zip_of(folder):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, str(path.relative_to(folder)))
    return packed


def fixture(source):
    if source == "bluesky":
        return io.BytesIO((FIXTURES / "bluesky/posts.car").read_bytes())
    return zip_of(FIXTURES / source)


@pytest.mark.parametrize("source", EXPECTED)
def test_fixture_gives_expected_posts(source):
    reader = find_reader(open_archive(fixture(source)))
    assert reader.name == source
    with SortedPosts(reader.posts()) as posts:
        imported = [
            {
                "source_id": post.source_id,
                "body": post.body,
                "timestamp": post.timestamp.isoformat().replace("+00:00", "Z"),
            }
            for post in posts
        ]
    assert imported == EXPECTED[source]["imported"]


@pytest.mark.parametrize("source", EXPECTED)
def test_fixture_gives_expected_exclusions(source):
    items = find_reader(open_archive(fixture(source))).posts()
    counts = Counter(item.reason for item in items if isinstance(item, ExcludedItem))
    left_out = EXPECTED[source]["left_out"]
    assert counts == {NAMES[name]: count for name, count in left_out.items()}


def test_fixtures_give_edit_time_and_links():
    items = list(find_reader(open_archive(fixture("mastodon"))).posts())
    posts = {post.source_id[-3:]: post for post in items if isinstance(post, ImportablePost)}
    assert posts["112"].edited_at.isoformat() == "2019-03-13T09:30:00+00:00"
    assert posts["101"].edited_at is None
    assert posts["101"].source_url == "https://old.example/@mara/101"
    assert posts["113"].reply_to == "https://old.example/users/mara/statuses/114"


@pytest.mark.parametrize(
    ("source", "account", "display_name"),
    [
        ("mastodon", "mara@old.example", "Mara"),
        ("x", "@mara", "Mara"),
        ("bluesky", "did:plc:invented", "Mara"),
    ],
)
def test_fixture_gives_account(source, account, display_name):
    summary = find_reader(open_archive(fixture(source))).summary
    assert (summary.account, summary.display_name) == (account, display_name)
