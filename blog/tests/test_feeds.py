"""Atom feeds, parsed as a feed reader does."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from django.utils import timezone
from model_bakery import baker

from blog.models import Block, Post, User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

ATOM = "{http://www.w3.org/2005/Atom}"
FEEDS = ["/explore/feed/", "/@bob/feed/"]


def parse_feed(response):
    assert response.status_code == 200
    assert response["Content-Type"] == "application/atom+xml; charset=utf-8"
    return ElementTree.fromstring(response.content)  # noqa: S314 - the site's own response


def entry_texts(response):
    return [entry.findtext(f"{ATOM}content") for entry in parse_feed(response).iter(f"{ATOM}entry")]


@pytest.fixture(params=FEEDS)
def feed(request, client, bob):
    return lambda **headers: client.get(request.param, headers=headers)


def test_feed_entry_is_complete(client, alice, bob, settings):
    settings.SITE_URL, settings.SITE_HOST = "https://microblog.example", "microblog.example"
    written, edited = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)
    body = 'Look, @alice:\n<https://example.com/?a=1&b=2> & "more"'
    post = baker.make(Post, author=bob, body=body, created_at=written, edited_at=edited)
    root = parse_feed(client.get("/@bob/feed/"))
    assert root.findtext(f"{ATOM}title") == "bob · Microblog"
    assert [link.get("href") for link in root.findall(f"{ATOM}link")] == [
        "https://microblog.example/@bob/",
        "https://microblog.example/@bob/feed/",
    ]
    assert root.findtext(f"{ATOM}updated") == "2026-03-02T12:00:00+00:00"
    entry = root.find(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}id") == f"tag:microblog.example,2026-03-01:/posts/{post.pk}/"
    assert entry.findtext(f"{ATOM}title") == 'Look, @alice: <https://example.com/?a=1&b=2> & "more"'
    assert entry.find(f"{ATOM}link").get("href") == f"https://microblog.example/posts/{post.pk}/"
    assert entry.findtext(f"{ATOM}published") == "2026-03-01T12:00:00+00:00"
    assert entry.findtext(f"{ATOM}updated") == "2026-03-02T12:00:00+00:00"
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "bob"
    assert entry.findtext(f"{ATOM}author/{ATOM}uri") == "https://microblog.example/@bob/"
    content = entry.find(f"{ATOM}content")
    assert content.get("type") == "html"
    assert content.text == (
        'Look, <a href="https://microblog.example/@alice/">@alice</a>:<br>&lt;<a '
        'href="https://example.com/?a=1&amp;b=2" rel="nofollow ugc noopener">'
        "https://example.com/?a=1&amp;b=2</a>&gt; "
        "&amp; &quot;more&quot;"
    )


def test_feed_has_newest_twenty_posts(feed, bob):
    for number in range(22):
        baker.make(
            Post,
            author=bob,
            body=f"Number {number}",
            created_at=datetime(2026, 1, 1, 0, number, tzinfo=UTC),
        )
    assert entry_texts(feed()) == [f"Number {number}" for number in range(21, 1, -1)]


def test_profile_feed_has_own_posts_only(client, alice, bob):
    baker.make(Post, author=alice, body="by alice")
    assert entry_texts(client.get("/@bob/feed/")) == []
    assert entry_texts(client.get("/explore/feed/")) == ["by alice"]


@pytest.mark.parametrize(
    "body", ["\x01\x0b\x1f", "\ufffe\uffff", "]]>", "</content>", "🦉\u2028", "<script>"]
)
def test_hostile_post_leaves_feed_well_formed(feed, bob, body):
    baker.make(Post, author=bob, body=f"a{body}b")
    (text,) = entry_texts(feed())
    assert (text[0], text[-1]) == ("a", "b")
    assert "<" not in text


def test_feed_excludes_hidden_posts_and_closed_accounts(client, bob, feed):
    baker.make(Post, author=bob, body="hidden", hidden_at=timezone.now())
    assert entry_texts(feed()) == []
    baker.make(Post, author=bob, body="shown")
    assert entry_texts(feed()) == ["shown"]
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert client.get("/@bob/feed/").status_code == 404
    assert entry_texts(client.get("/explore/feed/")) == []


def test_unchanged_feed_is_not_modified(feed, bob):
    post = baker.make(Post, author=bob)
    first = feed()
    assert first["Cache-Control"] == "no-cache"
    again = feed(**{"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    post.delete()
    assert feed(**{"if-none-match": first["ETag"]}).status_code == 200


def test_empty_feed_keeps_its_etag(feed):
    assert feed()["ETag"] == feed()["ETag"]


def test_feed_claims_no_date_and_no_language(feed, bob):
    baker.make(Post, author=bob)
    response = feed(**{"accept-language": "es"})
    assert "Last-Modified" not in response  # a deletion makes the newest date older
    assert "xml:lang" not in response.content.decode()


def test_feed_ignores_session_and_query_count_is_fixed(
    client, alice, bob, django_assert_num_queries
):
    for author in (alice, bob):
        baker.make(Post, author=author, body="for @alice", _quantity=5)
    visitors_feed = client.get("/explore/feed/")
    Block.objects.block(bob, alice)
    client.force_login(alice)
    with django_assert_num_queries(2):
        assert client.get("/explore/feed/").content == visitors_feed.content
    with django_assert_num_queries(3):
        assert "Cookie" not in client.get("/@bob/feed/").get("Vary", "")


def test_profile_feed_redirects_other_case(client, bob):
    assert client.get("/@BOB/feed/").url == "/@bob/feed/"
    assert client.get("/@nobody/feed/").status_code == 404


def test_feed_rejects_post(client, feed, bob):
    assert {client.post(path).status_code for path in FEEDS} == {405}


@pytest.mark.parametrize(
    ("page", "address"), [("/explore/", "/explore/feed/"), ("/@bob/", "/@bob/feed/")]
)
def test_page_links_to_its_feed(client, bob, page, address):
    text = client.get(page).content.decode()
    assert '<link rel="alternate" type="application/atom+xml"' in text
    assert text.count(f'href="{address}"') == 2
