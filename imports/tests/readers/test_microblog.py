import json

import pytest

from imports.archives import ArchiveError, Problem

from .builders import (
    account_zip,
    bare_file,
    bodies,
    outbox,
    own_post,
    posts_json,
    read,
    reasons,
    summary,
    zip_file,
)

MINIMAL = '{"posts": [{"body": "Hello", "timestamp": "2026-11-23T10:00:00Z"}]}'


@pytest.mark.parametrize(
    "file",
    [
        bare_file(posts_json(own_post())),
        bare_file(json.dumps(posts_json(own_post()), indent=2)),
        bare_file(MINIMAL),
        zip_file({"posts.json": posts_json(own_post())}),
        zip_file({"backup/posts.json": posts_json(own_post())}),
        account_zip(own_post(id=7)),
        account_zip(own_post(id=7), site=""),
    ],
    ids=["posts.json", "indented", "minimal", "posts.zip", "folder", "account.zip", "without site"],
)
def test_container_is_accepted(file):
    assert bodies(file) == ["Hello"]


def test_text_and_time_are_kept_exactly():
    texts = ["  two spaces\n", "=1+1", "é vs e\u0301", "\u2028🏳️‍🌈", "x" * 10_000]
    posts = [own_post(text, f"2026-11-23T10:00:00.{n:06}Z") for n, text in enumerate(texts)]
    found, _ = read(bare_file(posts_json(*posts)))
    assert [post.body for post in found] == texts
    assert [post.timestamp.microsecond for post in found] == list(range(5))


def test_any_past_date_is_accepted():
    posts = [own_post(timestamp="0001-01-01T00:00:00Z"), own_post(timestamp="2999-01-01T00:00:00Z")]
    found, excluded = read(bare_file(posts_json(*posts)))
    assert [post.timestamp.year for post in found] == [1]
    assert excluded == {"DATE": 1}


def test_account_posts_have_id_address_and_edit_time():
    file = account_zip(own_post(id=7, edited_at="2026-11-24T10:00:00Z", hidden_at=None))
    [post] = read(file)[0]
    assert post.source_id == "https://blog.example#7"
    assert post.source_url == "https://blog.example/posts/7/"
    assert post.edited_at.day == 24


def test_posts_without_site_have_hashed_ids():
    ids = [
        [post.source_id for post in read(file)[0]]
        for file in (account_zip(own_post(id=7), site=""), bare_file(posts_json(own_post())))
    ]
    assert ids[0] == ids[1]
    assert len(ids[0][0]) == 64


def test_equal_posts_have_different_ids():
    later = own_post(timestamp="2026-11-23T10:00:01Z")
    file = posts_json(own_post(), own_post("Other"), own_post(), later)
    posts, excluded = read(bare_file(file))
    assert (len({post.source_id for post in posts}), excluded) == (4, {})


def test_hashed_ids_do_not_depend_on_other_posts():
    [alone] = read(bare_file(posts_json(own_post())))[0]
    found, _ = read(bare_file(posts_json(own_post("Other"), own_post())))
    assert alone.source_id in {post.source_id for post in found}


def test_hidden_posts_are_excluded():
    hidden = own_post(id=8, hidden_at="2026-11-24T10:00:00Z", hidden_reason="spam")
    assert reasons(account_zip(own_post(id=7), hidden)) == {"HIDDEN": 1}


def test_account_names_and_settings_are_in_summary():
    profile = {"about_me": "Hi", "language": "es", "has_follow_mail": True, "email": "a@b.example"}
    file = account_zip(
        own_post(id=7),
        following=[{"name": "bob", "since": "2026-11-23T10:00:00Z"}, {"name": 7}],
        mutes=[{"name": "carol"}],
        blocks=[{"name": "dave"}],
        profile=profile,
        messages=[{"with": "bob", "messages": [{"body": "secret"}]}],
    )
    facts = summary(file)
    assert (facts.account, facts.item_count, facts.about_me) == ("alice", 1, "Hi")
    assert (facts.following, facts.mutes, facts.blocks) == (("bob",), ("carol",), ("dave",))
    assert facts.settings == {"language": "es", "has_follow_mail": True}


def test_bare_file_names_the_account():
    assert summary(bare_file(posts_json())).account == "alice"
    assert summary(bare_file(MINIMAL)).account == ""


def test_newer_version_is_refused():
    for read_part in (read, summary):
        with pytest.raises(ArchiveError) as error:
            read_part(bare_file(posts_json(own_post(), version=2)))
        assert error.value.problem == Problem.VERSION


def test_outbox_inside_account_archive_is_ignored():
    file = zip_file(
        {
            "posts.json": posts_json(own_post("Ours")),
            "activitypub/outbox.json": outbox(),
            "manifest.json": {"username": "alice"},
        }
    )
    assert bodies(file) == ["Ours"]


def test_unreadable_rows_are_counted():
    rows = [7, {}, {"body": None}, own_post(""), own_post(timestamp="never")]
    assert reasons(bare_file(posts_json(*rows))) == {"UNREADABLE": 3, "EMPTY": 1, "DATE": 1}


def test_file_cut_short_is_damaged():
    data = json.dumps(posts_json(own_post(), own_post("Other")))
    with pytest.raises(ArchiveError) as error:
        read(bare_file(data[:-30]))
    assert error.value.problem == Problem.DAMAGED
