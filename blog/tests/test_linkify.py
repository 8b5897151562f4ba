import pytest
from django.contrib.auth.models import AnonymousUser
from model_bakery import baker

from blog import linkify
from blog.linkify import with_links
from blog.models import Post

KNOWN = {"ada": "Ada", "dot.": "dot."}


def address(html):
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
def test_a_web_address_becomes_a_link(text, url):
    html = with_links(text, KNOWN)
    assert address(html) == url
    assert html.count("<a ") == 1
    assert 'rel="nofollow ugc noopener"' in html


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "https://", "http://.", "ftp://example.com", "example.com"]
)
def test_anything_else_does_not(text):
    assert with_links(text, KNOWN) == text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "https://x.com/<b>",
        'https://x.com/" onclick="alert(1)',
        "'&@ada<b>",
    ],
)
def test_everything_is_escaped(text):
    html = with_links(text, KNOWN)
    assert "<script" not in html
    assert "<b>" not in html
    assert 'onclick="' not in html


def test_a_name_leads_to_the_person_as_they_write_it():
    assert address(with_links("hello @ADA!", KNOWN)) == "/@Ada/"
    assert ">@ADA</a>!" in with_links("hello @ADA!", KNOWN)


@pytest.mark.parametrize(
    ("text", "rest"), [("@ada.", "</a>."), ("@ada-", "</a>-"), ("@dot.", "@dot.</a>")]
)
def test_a_full_stop_belongs_to_the_name_only_where_there_is_such_a_person(text, rest):
    assert with_links(text, KNOWN).endswith(rest)


@pytest.mark.parametrize("text", ["@nobody", "ada@ada.example", "a@ada", "@@ada", "@", "/@ada"])
def test_what_is_no_name_of_anybody_stays_text(text):
    assert with_links(text, KNOWN) == text


@pytest.mark.django_db
def test_all_names_of_a_page_take_one_query(alice, bob, django_assert_num_queries):
    posts = baker.prepare(Post, body=iter(["@alice @bob", "@BOB. @carol", "none"]), _quantity=3)
    with django_assert_num_queries(1):
        linkify.attach_mentions(posts, AnonymousUser())
    assert posts[0].mentions == {"alice": "alice", "bob": "bob"}


@pytest.mark.django_db
def test_no_name_takes_none(django_assert_num_queries):
    with django_assert_num_queries(0):
        linkify.attach_mentions([Post(body="nobody here")], AnonymousUser())
