"""Search for posts and users, on the database that the tests run on."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
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
        ("αθηνα", "Καλημέρα, Αθήνα"),
        ("ΟΔΟΣ", "η οδός"),
        ("strasse", "Lange Straße"),
        ("STRAẞE", "lange strasse"),
        ("cafe\u0301", "Un café"),
        ("caf\u00e9", "Un cafe\u0301"),
        ("елка", "Ёлка"),
        ("שלום", "שָׁלוֹם"),
        ("محمد", "مُحَمَّد"),
        ("سلام", "ســـلام"),
        ("ﬁnd", "find it"),
        ("istanbul", "İSTANBUL"),
        ("ニュース", "ﾆｭｰｽを読む"),
        ("ｆｕｌｌ", "full width"),
        ("soft", "so\u00adft hyphen"),
        ("𠮷野家", "昨日は𠮷野家に行った"),
        ("हिन्दी", "मेरी हिन्दी"),
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
        ("はは", "ばば"),
        ("कल", "काल"),
        ("ทา", "ท่า"),
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
    post.body = "第二 words"
    post.save(update_fields=["body"])
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
    assert "No people match" in page


def test_empty_user_search_says_so(client):
    assert "No people match “zzz”" in client.get(URL, {"q": "zzz", "in": "people"}).content.decode()


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
    assert "Showing the top 200 results" in response.content.decode()


def test_single_result_is_not_called_best(client, create_posts):
    create_posts("train")
    page = client.get(URL, {"q": "train"}).content.decode()
    assert "1 result" in page
    assert "top result" not in page


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


def test_tokens_are_normalized_words():
    assert tokenize(normalize("Café-晚霞 3.14")) == ["cafe", "晚", "霞", "3", "14"]


@pytest.mark.parametrize(
    ("query", "text", "html"),
    [
        ("strasse", "die Straße!", "die <mark>Straße</mark>!"),
        ("s", "ßa", "<mark>ß</mark>a"),
        ("cafe", "Un cafe\u0301 <b>", "Un <mark>cafe\u0301</mark> &lt;b&gt;"),
        ("αθηνα", "👩‍🚀 Αθήνα", "👩‍🚀 <mark>Αθήνα</mark>"),
        ("ニュース", "ﾆｭｰｽ。", "<mark>ﾆｭｰｽ</mark>。"),
        ("find it", "ﬁnd it, İt", "<mark>ﬁnd</mark> <mark>it</mark>, <mark>İt</mark>"),
    ],
)
def test_highlight_marks_original_letters(query, text, html):
    assert SearchQuery(query).highlight(text) == html


@pytest.mark.parametrize(
    "body",
    ["x" * 10_000, "a" + "\u0315\u0327" * 4_999, "ﷺ" * 10_000, "か゚" * 5_000, "'\\:*" * 2_499 + "x"],
    ids=["word", "marks", "ligatures", "kana", "signs"],
)
def test_long_imported_text_is_indexed(create_posts, body):
    create_posts(body)
    assert search_posts(body[:20].strip("'\\:*") or "x") == [body]


@pytest.mark.parametrize("text", ["晚霞，很美。" * 1_666, "a" + "\u0315\u0327" * 4_999])
def test_indexing_time_is_linear(bob, text):
    def measure():
        start = time.process_time()
        Post.objects.create(author=bob, body=text)
        return time.process_time() - start

    # About 5 ms; quadratic code needed 200 ms for the first text.
    assert min(measure() for _ in range(3)) < 0.05


def test_every_way_to_save_fills_search_text(bob, make_user):
    post = Post.objects.create(author=bob, body="Ångström")
    assert post.search_text == "angstrom"
    post.body = "Ærø"
    post.save()
    Post.objects.bulk_create([Post(author=bob, body="ΣΊΣΥΦΟΣ")])
    bob.about_me = "Ünïcode"
    bob.save(update_fields=["about_me"])
    texts = Post.objects.order_by("pk").values_list("search_text", flat=True)
    assert list(texts) == ["ærø", "σισυφοσ"]
    assert User.objects.get(pk=bob.pk).search_text == "bob unicode"


def test_save_of_other_fields_leaves_search_text(bob, django_assert_num_queries):
    post = Post.objects.create(author=bob, body="words")
    with CaptureQueriesContext(connection) as queries:
        post.save(update_fields=["edited_at"])
    assert "search_text" not in queries[0]["sql"]


def test_rows_of_older_version_are_indexed_by_sweeper(bob, monkeypatch):
    posts = [Post(author=bob, body=f"Café {number}") for number in range(5)]
    Post.objects.bulk_create(posts)
    # An older version does not know the column.
    Post.objects.update(search_text=None)
    assert search_posts("cafe") == []
    monkeypatch.setattr(search_index, "BATCH_SIZE", 3)
    search_index.fill_missing()
    assert len(search_posts("cafe")) == 3
    search_index.install(sender=None, using="default")
    assert len(search_posts("cafe")) == 5
    Post.objects.first().delete()
    assert len(search_posts("cafe")) == 4


def test_tables_from_before_the_column_are_left_alone(django_assert_num_queries):
    class OldState:
        def get_model(self, label):
            return Block  # has no such column

    with django_assert_num_queries(0):
        search_index.install(sender=None, using="default", apps=OldState())


@pytest.mark.postgres
def test_search_query_uses_index():
    with connection.cursor() as cursor:
        # On a table as small as this one, a sequential scan is as cheap.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT id FROM blog_post_words WHERE words @@ 'rare'::tsquery")
        assert "blog_post_words_search" in str(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_install_restores_lost_triggers(bob):
    post = Post.objects.create(author=bob, body="before")
    with connection.cursor() as cursor:
        on = " ON blog_post" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER blog_post_words_changed{on}")
    search_index.install(sender=None, using="default")
    post.body = "after"
    post.save()
    assert (search_posts("before"), search_posts("after")) == ([], ["after"])
