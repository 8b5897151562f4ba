"""The Atom feeds, read as a feed reader does."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from django.utils import timezone
from model_bakery import baker

from blog.models import Block, Post, User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

ATOM = "{http://www.w3.org/2005/Atom}"
FEEDS = ["/explore/feed/", "/@bob/feed/"]


def read(response):
    assert response.status_code == 200
    assert response["Content-Type"] == "application/atom+xml; charset=utf-8"
    return ElementTree.fromstring(response.content)  # noqa: S314 - our own answer


def texts(response):
    return [entry.findtext(f"{ATOM}content") for entry in read(response).iter(f"{ATOM}entry")]


@pytest.fixture(params=FEEDS)
def feed(request, client, bob):
    return lambda **headers: client.get(request.param, headers=headers)


def test_an_entry_has_all_that_a_reader_needs(client, alice, bob, settings):
    settings.SITE_URL, settings.SITE_HOST = "https://microblog.example", "microblog.example"
    written, edited = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)
    body = 'Look, @alice:\n<https://example.com/?a=1&b=2> & "more"'
    post = baker.make(Post, author=bob, body=body, created_at=written, edited_at=edited)
    root = read(client.get("/@bob/feed/"))
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
        'href="https://example.com/?a=1&amp;b=2" rel="nofollow ugc noopener">https://example.com/?a=1&amp;b=2</a>&gt; '
        "&amp; &quot;more&quot;"
    )


def test_the_newest_twenty_come_newest_first(feed, bob):
    for number in range(22):
        baker.make(
            Post,
            author=bob,
            body=f"Number {number}",
            created_at=datetime(2026, 1, 1, 0, number, tzinfo=UTC),
        )
    assert texts(feed()) == [f"Number {number}" for number in range(21, 1, -1)]


def test_one_persons_feed_has_their_posts_alone(client, alice, bob):
    baker.make(Post, author=alice, body="by alice")
    assert texts(client.get("/@bob/feed/")) == []
    assert texts(client.get("/explore/feed/")) == ["by alice"]


@pytest.mark.parametrize(
    "body", ["\x01\x0b\x1f", "\ufffe\uffff", "]]>", "</content>", "🦉\u2028", "<script>"]
)
def test_a_nasty_post_leaves_the_feed_well_formed(feed, bob, body):
    baker.make(Post, author=bob, body=f"a{body}b")
    (text,) = texts(feed())
    assert (text[0], text[-1]) == ("a", "b")
    assert "<" not in text


def test_what_is_hidden_or_of_a_closed_account_is_in_no_feed(client, bob, feed):
    baker.make(Post, author=bob, body="hidden", hidden_at=timezone.now())
    assert texts(feed()) == []
    baker.make(Post, author=bob, body="shown")
    assert texts(feed()) == ["shown"]
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert client.get("/@bob/feed/").status_code == 404
    assert texts(client.get("/explore/feed/")) == []


def test_a_reader_that_has_it_already_is_sent_nothing(feed, bob):
    post = baker.make(Post, author=bob)
    first = feed()
    assert first["Cache-Control"] == "no-cache"
    again = feed(**{"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    post.delete()
    assert feed(**{"if-none-match": first["ETag"]}).status_code == 200


def test_an_empty_feed_does_not_change_by_being_read(feed):
    assert feed()["ETag"] == feed()["ETag"]


def test_it_is_the_same_for_everyone_at_a_fixed_number_of_queries(
    client, alice, bob, django_assert_num_queries
):
    for author in (alice, bob):
        baker.make(Post, author=author, body="for @alice", _quantity=5)
    as_visitor = client.get("/explore/feed/")
    Block.objects.block(bob, alice)
    client.force_login(alice)
    with django_assert_num_queries(2):
        assert client.get("/explore/feed/").content == as_visitor.content
    with django_assert_num_queries(3):
        assert "Cookie" not in client.get("/@bob/feed/").get("Vary", "")


def test_a_name_is_found_however_it_is_written(client, bob):
    assert client.get("/@BOB/feed/").url == "/@bob/feed/"
    assert client.get("/@nobody/feed/").status_code == 404


def test_it_can_only_be_read(client, feed, bob):
    assert {client.post(path).status_code for path in FEEDS} == {405}


@pytest.mark.parametrize(
    ("page", "address"), [("/explore/", "/explore/feed/"), ("/@bob/", "/@bob/feed/")]
)
def test_a_page_names_its_feed_to_readers_and_people(client, bob, page, address):
    text = client.get(page).content.decode()
    assert '<link rel="alternate" type="application/atom+xml"' in text
    assert text.count(f'href="{address}"') == 2
