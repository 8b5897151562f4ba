import json

import pytest

from imports.archives import ArchiveError, Problem

from .builders import (
    ACTOR,
    FOLLOWERS,
    PUBLIC,
    activity,
    bare_file,
    bodies,
    excluded_items,
    mastodon_zip,
    outbox,
    read,
    reasons,
    summary,
    tar_file,
    zip_file,
)


def body(content="<p>Hello</p>", **note):
    [text] = bodies(mastodon_zip(activity(content, **note)))
    return text


@pytest.mark.parametrize(
    "file",
    [
        zip_file({"outbox.json": outbox(activity())}),
        zip_file({"archive-1-2/outbox.json": outbox(activity())}),
        zip_file({"__MACOSX/._outbox.json": "x", "old/outbox.json": outbox(activity())}),
        tar_file({"outbox.json": outbox(activity())}),
        tar_file({"./outbox.json": outbox(activity()), "./actor.json": {"id": ACTOR}}),
        tar_file({"media_attachments/a.png": b"x" * 9999, "outbox.json": outbox(activity())}),
        tar_file({"outbox.json": outbox(activity())}, mode="w"),
        bare_file(outbox(activity())),
        bare_file(b"\xef\xbb\xbf" + json.dumps(outbox(activity())).encode()),
    ],
    ids=["zip", "folder", "macos", "tar.gz", "tar with ./", "media first", "tar", "bare", "BOM"],
)
def test_container_is_accepted(file):
    assert bodies(file) == ["Hello"]


@pytest.mark.parametrize(
    ("to", "cc", "reason"),
    [
        ([PUBLIC], [FOLLOWERS], None),
        (["as:Public"], [], None),
        ("Public", FOLLOWERS, None),
        ([FOLLOWERS], [PUBLIC], None),
        (FOLLOWERS, "as:Public", None),
        ([FOLLOWERS], [], "FOLLOWERS_ONLY"),
        (FOLLOWERS, None, "FOLLOWERS_ONLY"),
        (["https://far.example/users/tove"], [], "DIRECT"),
        ([], [], "DIRECT"),
        ([7, None], {}, "DIRECT"),
    ],
)
def test_visibility_decides(to, cc, reason):
    assert reasons(mastodon_zip(activity(to=to, cc=cc))) == ({reason: 1} if reason else {})


def test_other_peoples_items_are_foreign():
    foreign = activity(actor="https://far.example/users/tove")
    nested = activity(attributedTo="https://far.example/users/tove")
    inlined = activity(actor={"id": ACTOR, "type": "Person"})
    assert reasons(mastodon_zip(foreign, nested)) == {"FOREIGN": 2}
    assert bodies(mastodon_zip(inlined)) == ["Hello"]


def test_items_that_are_no_posts_are_counted():
    items = [
        {"type": "Announce", "actor": ACTOR, "object": "https://far.example/1"},
        {"type": "Announce", "actor": ACTOR, "object": activity()["object"]},
        {"type": "Like", "actor": ACTOR, "object": "https://far.example/1"},
        {"type": "Create", "actor": ACTOR, "object": "https://old.example/1"},
        activity(type="Article"),
        "https://old.example/1",
    ]
    assert reasons(mastodon_zip(*items)) == {"BOOST": 2, "NOT_A_POST": 3, "UNREADABLE": 1}


def test_excluded_item_names_the_post():
    [item] = excluded_items(mastodon_zip(activity(to=[], cc=[], url="https://old.example/@mara/1")))
    assert item.source_id == f"{ACTOR}/statuses/1"
    assert item.source_url == "https://old.example/@mara/1"
    assert item.timestamp.year == 2019


@pytest.mark.parametrize(
    ("published", "is_imported"),
    [
        ("2019-03-01T08:00:00.123456Z", True),
        ("2006-01-01T00:00:00Z", True),
        ("2005-12-31T23:59:59Z", False),
        ("2999-01-01T00:00:00Z", False),
        ("yesterday", False),
        (None, False),
    ],
)
def test_dates_outside_of_range_are_excluded(published, is_imported):
    counts = reasons(mastodon_zip(activity(published=published)))
    assert counts == ({} if is_imported else {"DATE": 1})


def test_edit_time_must_follow_the_post():
    [post] = read(mastodon_zip(activity(updated="2018-01-01T00:00:00Z")))[0]
    assert post.edited_at is None
    [post] = read(mastodon_zip(activity(updated="2020-01-01T00:00:00Z")))[0]
    assert post.edited_at.year == 2020


def test_poll_options_and_attachments_follow_text():
    options = [{"type": "Note", "name": "Tea"}, {"type": "Note", "name": "Coffee"}]
    files = [
        {"mediaType": "image/png", "name": "A\ncat"},
        {"mediaType": "audio/ogg"},
        {"type": "Video"},
        {"type": "Document", "url": [{"mediaType": "image/png", "href": "https://x.example"}]},
        {"mediaType": "application/pdf", "name": "Menu"},
    ]
    text = body(type="Question", anyOf=options, attachment=files, summary="drinks")
    assert text == (
        "CW: drinks\n\nHello\n\n- Tea\n- Coffee\n\n"
        "[image: A cat]\n[audio]\n[video]\n[image]\n[file: Menu]"
    )


def test_content_warning_without_text_stays():
    assert body("", summary="film") == "CW: film"
    assert body(summary="") == "Hello"


def test_akkoma_source_is_preferred_if_plain():
    plain = {"content": "Hello  *you*", "mediaType": "text/plain"}
    markdown = {"content": "Hello *you*", "mediaType": "text/markdown"}
    assert body("<p>x</p>", source=plain) == "Hello  *you*"
    assert body("<p>Hello <em>you</em></p>", source=markdown) == "Hello you"


def test_content_map_replaces_missing_content():
    assert body(None, contentMap={"en": "<p>Hello</p>"}) == "Hello"


@pytest.mark.parametrize("text", ['{"orderedItems": ],\n"totalItems": 0}', outbox()])
def test_empty_outbox_of_pleroma_has_no_posts(text):
    assert read(zip_file({"outbox.json": text})) == ([], {})


def test_list_of_likes_is_not_an_archive():
    likes = {"type": "OrderedCollection", "orderedItems": ["https://far.example/1"]}
    with pytest.raises(ArchiveError) as error:
        read(bare_file(likes))
    assert error.value.problem == Problem.UNKNOWN


def test_text_limit_is_ten_thousand_characters():
    assert len(body("<p>" + "x" * 10_000 + "</p>")) == 10_000
    assert reasons(mastodon_zip(activity("<p>" + "x" * 10_001 + "</p>"))) == {"TOO_LONG": 1}


def test_post_without_text_is_excluded():
    assert reasons(mastodon_zip(activity("<p></p>"))) == {"EMPTY": 1}


def test_nul_character_is_removed():
    assert body("<p>a</p>", source={"content": "a\0b", "mediaType": "text/plain"}) == "ab"


def test_same_id_twice_is_a_duplicate():
    assert reasons(mastodon_zip(activity(), activity("<p>Again</p>"))) == {"DUPLICATE": 1}


@pytest.mark.parametrize("identifier", [None, 7, "", "x" * 501])
def test_post_without_valid_id_is_unreadable(identifier):
    assert reasons(mastodon_zip(activity(id=identifier))) == {"UNREADABLE": 1}


def test_profile_is_read_as_text():
    actor = {"id": ACTOR, "preferredUsername": "mara", "name": "M\0", "summary": "<p>Hi<br>you</p>"}
    facts = summary(zip_file({"outbox.json": outbox(), "actor.json": actor}))
    assert (facts.account, facts.display_name) == ("mara@old.example", "M")
    assert facts.about_me == "Hi\nyou"


def test_archive_without_actor_has_no_account():
    assert summary(zip_file({"outbox.json": outbox()})).account == ""
