"""Search for posts and users, on the database that the tests run on."""

import pytest
from django.db import connection
from django.utils import timezone

from blog import rate_limits
from blog.models import Block, Mute, Post, User
from blog.search import index as search_index
from blog.search.query import SearchQuery
from blog.search.text import normalize, tokenize

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
URL = "/search/"


@pytest.fixture
def create_posts(bob):
    return lambda *bodies: [Post.objects.create(author=bob, body=body) for body in bodies]


def search_posts(text):
    keys = SearchQuery(text).posts(Post.objects.all()).keys
    bodies = Post.objects.in_bulk(keys)
    return [bodies[key].body for key in keys]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("晚霞", "今天的晚霞很美,可惜没带相机。"),
        ("晚", "今天的晚霞很美"),
        ("C语言", "我写C语言。"),
        ("한국어 문장", "한국어 문장입니다"),
        ("night TRAIN", "The night train. Again!"),
        ("boat", "Two boats"),
        ("cafe", "Un café, por favor"),
        ("CAFÉ", "un cafe"),
        ("Ñandú", "un nandu"),
        ("3.14", "pi is 3.14159"),
        ("well-known", "a well-known fact"),
        ("example.com/path", "https://www.example.com/path?q=1"),
        ("ada.lindqvist", "hello @Ada.Lindqvist!"),
        ("snake_case", "in snake_case, always"),
        ("o'brien", "says O'Brien"),
        ("поезд", "Ночной поезд"),
        ("สวัสดี", "สวัสดี ชาวโลก"),
        ("“quoted”", 'a "quoted" word'),
    ],
)
def test_search_finds_matching_post(create_posts, text, body):
    create_posts(body, "something else")
    assert search_posts(text) == [body]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("霞晚", "今天的晚霞很美"),
        ("晚很", "今天的晚霞很美"),
        ("rain", "The night train"),
        ("night boat", "night train"),
    ],
)
def test_search_ignores_other_posts(create_posts, text, body):
    create_posts(body)
    assert search_posts(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "!!!",
        '"',
        "'",
        "*",
        "-",
        "\\",
        "a' | 'b",
        "NEAR(a b)",
        "{",
        "%s %%",
        "😀",
        "\0",
        "a\0b",
        "OR",
    ],
)
def test_odd_queries_are_no_error(client, create_posts, text):
    create_posts("plain")
    assert client.get(URL, {"q": text}).status_code == 200
    assert search_posts(text) == []


def test_index_follows_changes_of_posts(create_posts):
    (post,) = create_posts("first words")
    Post.objects.filter(pk=post.pk).update(body="第二 words")
    assert (search_posts("first"), search_posts("第二")) == ([], ["第二 words"])
    Post.objects.filter(pk=post.pk).update(edited_at=timezone.now())
    assert search_posts("words") == ["第二 words"]
    post.delete()
    assert search_posts("words") == []


def test_users_are_found_by_name_and_description(client, alice, make_user):
    make_user("ada.lindqvist", about_me="Birds and bread")
    for text in ("ada", "lind", "bread", "birds ada"):
        page = client.get(URL, {"q": text, "in": "people"}).content.decode()
        assert 'href="/@ada.lindqvist/"' in page
        assert 'href="/@alice/"' not in page


@pytest.mark.parametrize("cause", ["blocks", "blocked by", "closed"])
def test_invisible_users_are_not_found(client, alice, bob, cause):
    client.force_login(alice)
    query = {"q": "bob", "in": "people"}
    assert 'href="/@bob/"' in client.get(URL, query).content.decode()
    if cause == "closed":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    else:
        Block.objects.block(*((alice, bob) if cause == "blocks" else (bob, alice)))
    page = client.get(URL, query).content.decode()
    assert 'href="/@bob/"' not in page
    assert "Nobody is called" in page


def test_empty_user_search_says_so(client):
    assert (
        "Nobody is called “zzz”" in client.get(URL, {"q": "zzz", "in": "people"}).content.decode()
    )


def test_matches_are_highlighted_and_escaped(client, create_posts):
    create_posts("<b>Café</b> au lait, @bob and 晚霞 https://example.com/cafe")
    page = client.get(URL, {"q": "cafe 晚霞"}).content.decode()
    assert "&lt;b&gt;<mark>Café</mark>&lt;/b&gt; au lait" in page
    assert "<mark>晚霞</mark>" in page
    assert 'href="https://example.com/cafe"' in page
    assert "example.com/<mark>cafe</mark></a>" in page


def test_results_are_ordered_by_rank_then_date(create_posts):
    create_posts(
        "train and much else in a long sentence", "train train train", "a train", "a train"
    )
    ranked = SearchQuery("train").posts(Post.objects.all()).keys
    bodies = [Post.objects.get(pk=key).body for key in ranked]
    assert bodies[0] == "train train train"
    twins = [key for key in ranked if Post.objects.get(pk=key).body == "a train"]
    assert twins == sorted(twins, reverse=True)


def test_search_pages_show_first_200_of_more(client, bob, django_assert_num_queries):
    Post.objects.bulk_create([Post(author=bob, body=f"train {number}") for number in range(205)])
    seen = set()
    for start in range(0, 200, 20):
        with django_assert_num_queries(3):  # candidates, visible candidates, posts
            response = client.get(URL, {"q": "train", "from": start})
        seen |= {post.pk for post in response.context["posts"]}
    assert (len(seen), response.context["next_start"]) == (200, None)
    assert "the best 200 of many" in response.content.decode()


def test_single_result_is_not_called_best(client, create_posts):
    create_posts("train")
    assert "1 found." in client.get(URL, {"q": "train"}).content.decode()


@pytest.mark.parametrize("cause", ["blocked", "muted", "hidden", "closed"])
def test_invisible_posts_are_not_found(client, alice, bob, create_posts, cause):
    create_posts("train")
    client.force_login(alice)
    assert "<mark>train</mark>" in client.get(URL, {"q": "train"}).content.decode()
    if cause == "blocked":
        Block.objects.block(bob, alice)
    elif cause == "muted":
        Mute.objects.create(muter=alice, muted=bob)
    elif cause == "hidden":
        Post.objects.update(hidden_at=timezone.now())
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert "<mark>train</mark>" not in client.get(URL, {"q": "train"}).content.decode()


@pytest.mark.parametrize("start", ["x", "-1", "²", "99999", ""])
def test_invalid_search_offset_is_404(client, start):
    assert client.get(URL, {"q": "a", "from": start}).status_code == 404


def test_limited_search_keeps_query(client, monkeypatch, settings):
    monkeypatch.setitem(rate_limits.RATES, "search", rate_limits.Rate(1, 1, 300))
    client.get(URL, {"q": "train"})
    response = client.get(URL, {"q": "train"})
    assert response.status_code == 429
    assert "Please try again in" in response.content.decode()
    assert 'value="train"' in response.content.decode()


def test_search_rejects_post(client):
    assert client.post(URL, {"q": "train"}).status_code == 405


def test_normalize_keeps_text_length():
    text = "İstanbul ÉÑ ﬁ ß 晚 é 😀"
    assert len(normalize(text)) == len(text)
    assert tokenize(normalize("Café-晚霞 3.14")) == ["cafe", "晚", "霞", "3", "14"]


@pytest.mark.postgres
def test_search_query_uses_index():
    with connection.cursor() as cursor:
        # On a table as small as this one, a sequential scan is as cheap.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT id FROM blog_post_words WHERE words @@ 'rare'::tsquery")
        assert "blog_post_words_search" in str(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_install_restores_lost_triggers(bob):
    Post.objects.create(author=bob, body="before")
    with connection.cursor() as cursor:
        on = " ON blog_post" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER blog_post_words_changed{on}")
    search_index.install(sender=None, using="default")
    Post.objects.update(body="after")
    assert (search_posts("before"), search_posts("after")) == ([], ["after"])
