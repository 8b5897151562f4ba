import pytest
from django.contrib.auth.models import AnonymousUser
from model_bakery import baker

from blog.linkify import attach_mentions, linkify
from blog.models import Post

USERNAMES = {"ada": "Ada", "dot.": "dot."}


def first_href(html):
    return html.split('href="')[1].split('"')[0]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("see https://example.com/a?b=1&c=2.", "https://example.com/a?b=1&amp;c=2"),
        ("(https://example.com/x_(y))", "https://example.com/x_(y)"),
        ("https://例え.jp/道,then", "https://例え.jp/道,then"),
        ("HTTP://EXAMPLE.COM!", "HTTP://EXAMPLE.COM"),
        ("https://example.com/@ada", "https://example.com/@ada"),
        ("“https://example.com”", "https://example.com"),
    ],
)
def test_web_address_becomes_link(text, url):
    html = linkify(text, USERNAMES)
    assert first_href(html) == url
    assert html.count("<a ") == 1
    assert 'rel="nofollow ugc noopener"' in html


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "https://", "http://.", "ftp://example.com", "example.com"]
)
def test_other_schemes_are_not_linked(text):
    assert linkify(text, USERNAMES) == text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "https://x.com/<b>",
        'https://x.com/" onclick="alert(1)',
        "'&@ada<b>",
    ],
)
def test_linkify_escapes_html(text):
    html = linkify(text, USERNAMES)
    assert "<script" not in html
    assert "<b>" not in html
    assert 'onclick="' not in html


def test_mention_links_to_profile_in_real_case():
    assert first_href(linkify("hello @ADA!", USERNAMES)) == "/@Ada/"
    assert ">@ADA</a>!" in linkify("hello @ADA!", USERNAMES)


@pytest.mark.parametrize(
    ("text", "rest"), [("@ada.", "</a>."), ("@ada-", "</a>-"), ("@dot.", "@dot.</a>")]
)
def test_trailing_full_stop_needs_matching_username(text, rest):
    assert linkify(text, USERNAMES).endswith(rest)


@pytest.mark.parametrize("text", ["@nobody", "ada@ada.example", "a@ada", "@@ada", "@", "/@ada"])
def test_unknown_mention_stays_text(text):
    assert linkify(text, USERNAMES) == text


@pytest.mark.django_db
def test_mentions_of_page_take_one_query(alice, bob, django_assert_num_queries):
    posts = baker.prepare(Post, body=iter(["@alice @bob", "@BOB. @carol", "none"]), _quantity=3)
    with django_assert_num_queries(1):
        attach_mentions(posts, AnonymousUser())
    assert posts[0].mentions == {"alice": "alice", "bob": "bob"}


@pytest.mark.django_db
def test_texts_without_mentions_take_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        attach_mentions([Post(body="nobody here")], AnonymousUser())
