import json

import pytest

from .builders import (
    bare_file,
    bodies,
    excluded_items,
    javascript,
    read,
    reasons,
    summary,
    tweet,
    tweets_js,
    x_zip,
    zip_file,
)

LONG = "This is a long post that goes on and on & on. " * 12


def entities(*pairs, **more):
    urls = [{"url": short, "expanded_url": target} for short, target in pairs]
    return {"urls": urls, **more}


def note(text, created_at="2021-05-04T09:08:07.000Z", urls=()):
    core = {"text": text, "urls": list(urls)}
    return javascript("note_tweet", [{"noteTweet": {"createdAt": created_at, "core": core}}])


@pytest.mark.parametrize(
    "file",
    [
        zip_file({"data/tweets.js": tweets_js(tweet())}),
        zip_file({"twitter-2023/data/tweets.js": tweets_js(tweet()), "twitter-2023/a.html": ""}),
        zip_file({"data/tweet.js": javascript("tweet", [{"tweet": tweet()}])}),
        zip_file({"tweet.js": javascript("tweet", [tweet()])}),
        zip_file({"tweets.js": tweets_js(tweet())}),
        bare_file(tweets_js(tweet())),
        bare_file("\ufeff" + tweets_js(tweet()) + " ;\r\n"),
        bare_file(tweets_js(tweet()) + ";"),
    ],
    ids=["zip", "folder", "2020", "2019", "flat", "bare", "BOM and semicolon", "semicolon"],
)
def test_container_is_accepted(file):
    assert bodies(file) == ["Hello"]


def test_archive_of_before_2019_is_read():
    entry = {
        "id": 9,
        "id_str": "9",
        "created_at": "2015-01-24 02:02:37 +0000",
        "text": "Old",
        "entities": {"urls": []},
    }
    content = "Grailbird.data.tweets_2015_01 = \n " + json.dumps([entry])
    [post] = read(zip_file({"data/js/tweets/2015_01.js": content}))[0]
    assert (post.source_id, post.body) == ("9", "Old")
    assert post.timestamp.isoformat() == "2015-01-24T02:02:37+00:00"


def test_parts_are_read_in_their_order():
    parts = {f"data/tweets-part{n}.js": tweets_js(tweet(f"part {n}", n)) for n in (10, 2, 1)}
    file = zip_file({**parts, "data/tweets.js": tweets_js(tweet("part 0", 99))})
    assert bodies(file) == ["part 1", "part 2", "part 10", "part 0"]


def test_posts_of_one_second_are_sorted_by_number():
    assert bodies(x_zip(tweet("ten", 10), tweet("nine", 9))) == ["nine", "ten"]


def test_text_is_unescaped_once():
    [text] = bodies(x_zip(tweet("&lt;3 &amp;amp; &copy; &amp;copy=1")))
    assert text == "<3 &amp; &copy; &copy=1"


def test_short_links_are_replaced_longest_first():
    links = entities(
        ("https://t.co/a", "https://one.example"), ("https://t.co/ab", "https://t.co/a")
    )
    [text] = bodies(x_zip(tweet("https://t.co/ab https://t.co/a", entities=links)))
    assert text == "https://t.co/a https://one.example"


def test_media_become_lines():
    media = [
        {"url": "https://t.co/p", "type": "photo", "ext_alt_text": "Red sky"},
        {"url": "https://t.co/p", "type": "video"},
        {"url": "https://t.co/p", "type": "animated_gif"},
    ]
    post = tweet(
        "Look https://t.co/p",
        entities=entities(media=media[:1]),
        extended_entities={"media": media},
    )
    assert bodies(x_zip(post)) == ["Look\n\n[image: Red sky]\n[video]\n[image]"]


@pytest.mark.parametrize(
    ("text", "count"),
    [("RT @a: x", 1), ("RT @a_1: x…", 1), ("RT if you agree", 0), ("x RT @a: x", 0)],
)
def test_retweets_are_excluded(text, count):
    assert reasons(x_zip(tweet(text))) == ({"RETWEET": count} if count else {})


def test_other_lists_are_counted_by_reason():
    file = x_zip(
        tweet(),
        deleted_tweets=javascript("deleted_tweets", [{"tweet": tweet(number=2)}]),
        twitter_circle_tweet=javascript("twitter_circle_tweet", [{"tweet": tweet(number=3)}]),
        community_tweet=javascript("community_tweet", [{"communityTweet": tweet(number=4)}] * 2),
        direct_messages="this is never read",
    )
    assert reasons(file) == {"DELETED": 1, "CIRCLE": 1, "COMMUNITY": 2}


def test_last_version_of_an_edited_post_is_kept():
    chain = {"initial": {"editTweetIds": ["1", "2", "3"]}}
    versions = [tweet(f"version {n}", n, edit_info=chain) for n in (1, 2, 3)]
    posts, excluded = read(x_zip(*versions))
    assert [post.body for post in posts] == ["version 3"]
    assert excluded == {"OLDER_EDIT": 2}


def test_edit_chain_of_one_is_no_edit():
    assert bodies(x_zip(tweet(edit_info={"initial": {"editTweetIds": ["1"]}}))) == ["Hello"]


@pytest.mark.parametrize(
    ("shown", "note_file"),
    [
        (LONG[:270] + "…", note(LONG)),
        (LONG[:270].replace("&", "&amp;") + "… https://t.co/self", note(LONG)),
        (LONG[:270].replace("&", "&amp;") + "…", note(LONG.replace("&", "&amp;"))),
        ("@nils @tove " + LONG[:200] + "…", note(LONG)),
        (LONG[:200] + "…", note(LONG, "2021-05-04T09:08:12.000Z")),
        (LONG[:200] + "…", note(LONG, "2021-05-04T09:08:02.000Z")),
    ],
    ids=["plain", "link", "escaped", "names", "later", "earlier"],
)
def test_long_post_is_completed_from_notes(shown, note_file):
    assert bodies(x_zip(tweet(shown), note_tweet=note_file)) == [LONG.strip()]


@pytest.mark.parametrize(
    ("shown", "note_file"),
    [
        (LONG[:200] + "…", note(LONG, "2021-05-04T09:08:13.000Z")),
        (LONG[:200] + "…", note("Another text " * 30)),
        ("@nils …", note(LONG)),
        ("Short", note("Short, but longer")),
    ],
    ids=["other second", "other text", "no text", "complete"],
)
def test_text_without_matching_note_stays(shown, note_file):
    assert bodies(x_zip(tweet(shown), note_tweet=note_file)) == [shown]


def test_links_in_notes_are_replaced():
    url = {"shortUrl": "https://t.co/a", "expandedUrl": "https://one.example"}
    file = x_zip(tweet(LONG[:60] + "…"), note_tweet=note(LONG + "https://t.co/a", urls=[url]))
    assert bodies(file) == [LONG + "https://one.example"]


def test_reply_keeps_names_and_target():
    [post] = read(x_zip(tweet("@nils yes", 3, in_reply_to_status_id_str="77")))[0]
    assert (post.body, post.reply_to) == ("@nils yes", "77")


def test_address_has_username_of_the_account():
    account = javascript("account", [{"account": {"username": "mara"}}])
    [post] = read(x_zip(tweet(), account=account))[0]
    assert post.source_url == "https://x.com/mara/status/1"
    [post] = read(x_zip(tweet()))[0]
    assert post.source_url == "https://x.com/i/status/1"


@pytest.mark.parametrize(
    "created_at",
    [
        "Tue Foo 04 09:08:07 +0000 2021",
        "Tue May 99 09:08:07 +0000 2021",
        "Tue May 04 09:08:07 +0000 2999",
        "Tue May 04 09:08:07 +0000 2005",
        "",
        None,
        7,
    ],
)
def test_dates_outside_of_range_are_excluded(created_at):
    [item] = excluded_items(x_zip(tweet(created_at=created_at)))
    assert (item.reason, item.source_id) == ("DATE", "1")


def test_manifest_says_what_should_be_there():
    files = [
        {"fileName": "data/tweets.js", "count": "12"},
        {"fileName": "data/tweets-part1.js", "count": "3"},
    ]
    manifest = json.dumps({"dataTypes": {"tweets": {"files": files}}})
    facts = summary(x_zip(tweet(), manifest=f"window.__THAR_CONFIG = {manifest}"))
    assert (facts.item_count, facts.missing_files) == (15, ("data/tweets-part1.js",))


def test_profile_is_in_the_summary():
    facts = summary(
        x_zip(
            tweet(),
            account=javascript(
                "account", [{"account": {"username": "mara", "accountDisplayName": "Mara"}}]
            ),
            profile=javascript("profile", [{"profile": {"description": {"bio": "Invented"}}}]),
        )
    )
    assert (facts.account, facts.display_name, facts.about_me) == ("@mara", "Mara", "Invented")


def test_unreadable_entries_are_counted():
    entries = javascript("tweets", [7, {}, {"tweet": {"id_str": "x"}}, {"tweet": tweet()}])
    posts, excluded = read(zip_file({"data/tweets.js": entries}))
    assert (len(posts), excluded) == (1, {"UNREADABLE": 3})
