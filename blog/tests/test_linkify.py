import time

import pytest
from django.contrib.auth.models import AnonymousUser
from model_bakery import baker

from blog.linkify import attach_mentions, linkify
from blog.models import Post

USERNAMES = {"ada": "Ada", "dot.": "dot.", "both": "both", "both.": "both."}


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
        ("参见https://example.com。谢谢", "https://example.com"),
        ("看https://example.com/a，然后", "https://example.com/a"),
        ("（https://example.com/a）です", "https://example.com/a"),
        ("「https://example.com/a」と", "https://example.com/a"),
        ("https://example.com/a～", "https://example.com/a"),
        ("https://example.com/a｡ﾃﾞｽ", "https://example.com/a"),
        ("انظر https://example.com/a، ثم", "https://example.com/a"),
        ("देखो https://example.com/a।", "https://example.com/a"),
        ("«https://example.com/a»", "https://example.com/a"),
        ("https://example.com/a—and", "https://example.com/a"),
        ("https://example.comです", "https://example.com"),
        ("https://example.com:8000です", "https://example.com:8000"),
        ("https://example.com/a\u200bnext", "https://example.com/a"),
        ("https://example.com/道路", "https://example.com/道路"),
        ("https://пример.рф/путь.", "https://пример.рф/путь"),
        ("https://x.com/jack_", "https://x.com/jack_"),
        ("https://example.com/~", "https://example.com/~"),
        ("https://example.com/a-", "https://example.com/a-"),
        ("https://example.com/?a=", "https://example.com/?a="),
        ("https://example.com/c++?!", "https://example.com/c++"),
        ("https://example.com/*", "https://example.com/*"),
        ("'https://example.com/a'", "https://example.com/a"),
        ("(https://example.com/a).Then", "https://example.com/a"),
        ("[a](https://example.com/b)", "https://example.com/b"),
        ("https://example.com/x_(a_(b))_[c]{d}", "https://example.com/x_(a_(b))_[c]{d}"),
        ("https://example.com/a]", "https://example.com/a"),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]/a"),
    ],
)
def test_web_address_becomes_link(text, url):
    html = linkify(text, USERNAMES)
    assert first_href(html) == url
    assert html.count("<a ") == 1
    assert 'rel="nofollow ugc noopener"' in html


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "https://",
        "http://.",
        "http://。",
        "ftp://example.com",
        "example.com",
        "看example.com。",
        "git+https://example.com",
        "shttps://example.com",
    ],
)
def test_other_schemes_are_not_linked(text):
    assert linkify(text, USERNAMES) == text


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example、https://b.example",
        "https://a.exampleとhttps://b.example",
        "(https://a.example)(https://b.example)",
    ],
)
def test_addresses_without_space_become_two_links(text):
    html = linkify(text, {})
    assert 'href="https://a.example"' in html
    assert 'href="https://b.example"' in html


@pytest.mark.parametrize(
    "text",
    ["https://a" + "(" * 9_990, "https://a(" * 1_000, "@a@" * 3_000, "https://a.b和" * 900],
)
def test_linkify_time_is_linear(text):
    start = time.process_time()
    linkify(text, {})
    assert time.process_time() - start < 0.5  # about 0.02; quadratic patterns take seconds


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
    ("text", "link"),
    [
        ("@ada.", "@ada"),
        ("@ada-", "@ada"),
        ("@ada_", "@ada"),
        ("@dot.", "@dot."),
        ("@both.", "@both"),
        ("谢谢@ada", "@ada"),
        ("ありがとう@adaさん", "@ada"),
        ("спасибо@ada", "@ada"),
        ("é@ada", "@ada"),
        ("😀@ada", "@ada"),
        ("@@ada", "@ada"),
        ("cc:@ada", "@ada"),
        ("/@ada", "@ada"),
        (".@ada", "@ada"),
        ("＠ada", "＠ada"),
        ("@ada@microblog.example", "@ada@microblog.example"),
        ("@ada@Microblog.example。", "@ada@Microblog.example"),
        ("@ada@microblog.exampleさん", "@ada@microblog.example"),
        ("@ada@nobody", "@ada"),
    ],
)
def test_mention_is_linked(settings, text, link):
    settings.SITE_HOST = "microblog.example"
    html = linkify(text, USERNAMES)
    assert html.count("<a ") == 1
    assert f">{link}</a>" in html


@pytest.mark.parametrize(
    "text",
    [
        "@nobody",
        "ada@ada.example",
        "a@ada",
        "3@ada",
        "_@ada",
        "+@ada",
        "-@ada",
        "@",
        "@ada@mastodon.social",
        "@ada＠social.example",
        "@ada@microblog.example.org",
        "@ada@例え.jp",
        "谢谢@ada@mastodon.social。",
    ],
)
def test_other_names_stay_text(settings, text):
    settings.SITE_HOST = "microblog.example"
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
