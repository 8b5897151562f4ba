import pytest

from imports.archives import ArchiveError, Problem

from .builders import (
    Link,
    block,
    bluesky_car,
    bluesky_post,
    bodies,
    car_file,
    car_of_blocks,
    encode,
    read,
    reasons,
    summary,
)

POST = "app.bsky.feed.post"
OTHER = f"at://did:plc:other/{POST}/3kkk"


def body(text="Hello", **more):
    [found] = bodies(bluesky_car(bluesky_post(text, **more)))
    return found


def facet(text, part, uri="https://example.com/long", **index):
    start = text.encode().index(part.encode())
    index = {"byteStart": start, "byteEnd": start + len(part.encode())} | index
    return {"index": index, "features": [{"$type": "app.bsky.richtext.facet#link", "uri": uri}]}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("order", [list, reversed, lambda blocks: blocks * 2])
def test_blocks_may_come_in_any_order(version, order):
    file = bluesky_car(bluesky_post("one"), bluesky_post("two"), version=version, order=order)
    assert bodies(file) == ["one", "two"]


def test_post_keeps_address_and_parent():
    parent = {"uri": OTHER, "cid": "x"}
    [post] = read(bluesky_car(bluesky_post(reply={"root": parent, "parent": parent})))[0]
    assert post.source_id == f"at://did:plc:invented/{POST}/3k000"
    assert post.source_url == "https://bsky.app/profile/did:plc:invented/post/3k000"
    assert post.reply_to == OTHER


@pytest.mark.parametrize(
    ("created_at", "expected"),
    [
        ("2023-05-04T09:08:07.1Z", "2023-05-04T09:08:07.100000+00:00"),
        ("2023-05-04T09:08:07.123456789012Z", "2023-05-04T09:08:07.123456+00:00"),
        ("2023-05-04T09:08:07.123+01:45", "2023-05-04T07:23:07.123000+00:00"),
        ("2023-05-04T09:08:07-00:00", "2023-05-04T09:08:07+00:00"),
        ("0000-01-01T00:00:00Z", None),
        ("3001-01-01T00:00:00Z", None),
        ("1985-04-12T23:20:50Z", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("2023-05-04", None),
        (5, None),
    ],
)
def test_timestamps_of_all_precisions_are_read(created_at, expected):
    posts, excluded = read(bluesky_car(bluesky_post(created_at=created_at)))
    assert [post.timestamp.isoformat() for post in posts] == ([expected] if expected else [])
    assert excluded == ({} if expected else {"DATE": 1})


def test_links_get_their_targets():
    text = "café 🙂 see example.com/lo… and b.example"
    facets = [facet(text, "b.example", "https://b.example/"), facet(text, "example.com/lo…")]
    assert (
        body(text, facets=facets) == "café 🙂 see https://example.com/long and https://b.example/"
    )


@pytest.mark.parametrize(
    "index",
    [
        {"byteEnd": 900},
        {"byteStart": -1},
        {"byteStart": 9, "byteEnd": 3},
        {"byteStart": 4, "byteEnd": 8},
        {"byteStart": "1"},
        {"byteStart": None},
        {"byteEnd": True},
    ],
)
def test_broken_facet_is_ignored(index):
    text = "café see link"
    assert body(text, facets=[facet(text, "link", **index)]) == text


def test_overlapping_facet_is_ignored():
    text = "see one link"
    facets = [facet(text, "one link", "https://a.example"), facet(text, "link")]
    assert body(text, facets=facets) == "see https://a.example"


def test_mentions_and_tags_stay_as_text():
    text = "@bob.example #tag"
    features = [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:bob"}]
    assert (
        body(text, facets=[{"index": {"byteStart": 0, "byteEnd": 12}, "features": features}])
        == text
    )


@pytest.mark.parametrize(
    ("embed", "expected"),
    [
        ({"images": [{"alt": "A door"}, {"alt": ""}]}, "Hello\n\n[image: A door]\n[image]"),
        ({"video": {}, "alt": "Waves"}, "Hello\n\n[video: Waves]"),
        ({"external": {"uri": "https://news.example/a"}}, "Hello\n\nhttps://news.example/a"),
        ({"external": {"uri": "javascript:x"}}, "Hello"),
        ({"record": {"uri": OTHER}}, "Hello\n\nhttps://bsky.app/profile/did:plc:other/post/3kkk"),
        ({"record": {"uri": "at://did:plc:o/app.bsky.feed.generator/x"}},
         "Hello\n\nhttps://bsky.app/profile/did:plc:o/feed/x"),
        ({"record": {"uri": "at://did:plc:o/unknown/x"}}, "Hello"),
        ({"record": {"record": {"uri": OTHER}}, "media": {"images": [{"alt": "A door"}]}},
         "Hello\n\nhttps://bsky.app/profile/did:plc:other/post/3kkk\n\n[image: A door]"),
        ("nonsense", "Hello"),
    ],
)  # fmt: skip
def test_embeds_follow_the_text(embed, expected):
    assert body(embed=embed) == expected


def test_link_in_text_is_not_repeated():
    embed = {"external": {"uri": "https://news.example/a"}}
    assert body("See https://news.example/a", embed=embed) == "See https://news.example/a"


def test_labels_become_content_warning():
    labels = {"values": [{"val": "nudity"}, {"val": "graphic-media"}]}
    assert body(labels=labels) == "CW: nudity, graphic-media\n\nHello"


def test_other_records_are_ignored_but_reposts():
    records = {
        "app.bsky.feed.like/3a": {"$type": "app.bsky.feed.like"},
        "app.bsky.feed.repost/3a": {"$type": "app.bsky.feed.repost"},
        "app.bsky.graph.follow/3a": {"$type": "app.bsky.graph.follow"},
        f"{POST}/3a": bluesky_post(),
        f"{POST}/3b": {"text": 7},
    }
    posts, excluded = read(car_file(records))
    assert (len(posts), excluded) == (1, {"REPOST": 1, "UNREADABLE": 1})


def test_missing_block_is_counted():
    records = {f"{POST}/3a": bluesky_post(), f"{POST}/3b": bluesky_post("gone")}
    assert reasons(car_file(records, leave_out=[f"{POST}/3b"])) == {"MISSING": 1}


def test_profile_is_in_the_summary():
    profile = {"displayName": "Mara", "description": "Invented"}
    facts = summary(
        car_file({"app.bsky.actor.profile/self": profile, f"{POST}/3a": bluesky_post()})
    )
    assert (facts.account, facts.display_name, facts.about_me) == (
        "did:plc:invented",
        "Mara",
        "Invented",
    )


def node_block(left, entries):
    return block(encode({"l": left, "e": entries}))


def repository(root, *blocks):
    commit = {"did": "did:plc:invented", "version": 3, "data": Link(root[0]), "rev": "3"}
    commit_block = block(encode(commit))
    return car_of_blocks(Link(commit_block[0]), [commit_block, root, *blocks])


def test_tree_is_walked_in_key_order():
    posts = [block(bluesky_post(str(n))) for n in range(3)]
    keys = [f"{POST}/3{n}".encode() for n in range(3)]
    left = node_block(None, [{"p": 0, "k": keys[0], "v": Link(posts[0][0]), "t": None}])
    right = node_block(None, [{"p": 0, "k": keys[2], "v": Link(posts[2][0]), "t": None}])
    entry = {"p": 0, "k": keys[1], "v": Link(posts[1][0]), "t": Link(right[0])}
    root = node_block(Link(left[0]), [entry])
    found, _ = read(repository(root, left, right, *posts))
    assert [post.source_id[-2:] for post in found] == ["30", "31", "32"]


def test_missing_node_is_counted():
    missing = node_block(None, [])
    assert reasons(repository(node_block(Link(missing[0]), []))) == {"MISSING": 1}


@pytest.mark.parametrize("depth", [101, 5000])
def test_deep_tree_is_refused(depth):
    nodes = [node_block(None, [])]
    for _ in range(depth):
        nodes.append(node_block(Link(nodes[-1][0]), []))
    with pytest.raises(ArchiveError) as error:
        read(repository(nodes[-1], *nodes))
    assert error.value.problem == Problem.TOO_COMPLEX


def test_shared_nodes_are_read_once():
    """A node that is named a thousand times on each of ten levels would be read 10**30 times."""
    nodes = [node_block(None, [])]
    for _ in range(10):
        link = Link(nodes[-1][0])
        entry = {"p": 0, "k": b"a/b", "v": link, "t": link}
        nodes.append(node_block(None, [entry] * 1000))
    with pytest.raises(ArchiveError) as error:
        read(repository(nodes[-1], *nodes))
    assert error.value.problem == Problem.DAMAGED


def test_record_under_second_key_is_a_duplicate():
    post = bluesky_post()
    assert reasons(car_file({f"{POST}/3a": post, f"{POST}/3b": post})) == {"DUPLICATE": 1}


def test_changed_block_is_damage():
    data = bluesky_car(bluesky_post("Hello there"))
    changed = data.getvalue().replace(b"Hello there", b"Hello THERE")
    with pytest.raises(ArchiveError) as error:
        read(type(data)(changed))
    assert error.value.problem == Problem.DAMAGED
