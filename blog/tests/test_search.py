"""Searching posts and people, on whichever database the tests run."""

import pytest
from django.db import connection
from django.utils import timezone

from blog import rate_limits as limits
from blog.models import Block, Mute, Post, User
from blog.search import index as search_index
from blog.search.query import Question, fold, tokens

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
URL = "/search/"


@pytest.fixture
def write(bob):
    return lambda *bodies: [Post.objects.create(author=bob, body=body) for body in bodies]


def found(text):
    keys = Question(text).posts(Post.objects.all()).keys
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
def test_it_finds(write, text, body):
    write(body, "something else")
    assert found(text) == [body]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("霞晚", "今天的晚霞很美"),
        ("晚很", "今天的晚霞很美"),
        ("rain", "The night train"),
        ("night boat", "night train"),
    ],
)
def test_it_does_not_find(write, text, body):
    write(body)
    assert found(text) == []


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
def test_no_question_is_an_error(client, write, text):
    write("plain")
    assert client.get(URL, {"q": text}).status_code == 200
    assert found(text) == []


def test_the_index_follows_what_happens_to_a_post(write):
    (post,) = write("first words")
    Post.objects.filter(pk=post.pk).update(body="第二 words")
    assert (found("first"), found("第二")) == ([], ["第二 words"])
    Post.objects.filter(pk=post.pk).update(edited_at=timezone.now())
    assert found("words") == ["第二 words"]
    post.delete()
    assert found("words") == []


def test_people_are_found_by_name_and_by_what_they_say(client, alice, make_user):
    make_user("ada.lindqvist", about_me="Birds and bread")
    for text in ("ada", "lind", "bread", "birds ada"):
        page = client.get(URL, {"q": text, "in": "people"}).content.decode()
        assert 'href="/@ada.lindqvist/"' in page
        assert 'href="/@alice/"' not in page


@pytest.mark.parametrize("why", ["blocks", "blocked by", "closed"])
def test_nobody_is_found_who_is_not_to_be_seen(client, alice, bob, why):
    client.force_login(alice)
    question = {"q": "bob", "in": "people"}
    assert 'href="/@bob/"' in client.get(URL, question).content.decode()
    if why == "closed":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    else:
        Block.objects.put(*((alice, bob) if why == "blocks" else (bob, alice)))
    page = client.get(URL, question).content.decode()
    assert 'href="/@bob/"' not in page
    assert "Nobody is called" in page


def test_people_without_a_match_are_said_to_be_missing(client):
    assert (
        "Nobody is called “zzz”" in client.get(URL, {"q": "zzz", "in": "people"}).content.decode()
    )


def test_what_is_found_is_marked_and_escaped(client, write):
    write("<b>Café</b> au lait, @bob and 晚霞 https://example.com/cafe")
    page = client.get(URL, {"q": "cafe 晚霞"}).content.decode()
    assert "&lt;b&gt;<mark>Café</mark>&lt;/b&gt; au lait" in page
    assert "<mark>晚霞</mark>" in page
    assert 'href="https://example.com/cafe"' in page
    assert "example.com/<mark>cafe</mark></a>" in page


def test_the_best_come_first_and_the_newest_of_equals(write):
    write("train and much else in a long sentence", "train train train", "a train", "a train")
    ranked = Question("train").posts(Post.objects.all()).keys
    bodies = [Post.objects.get(pk=key).body for key in ranked]
    assert bodies[0] == "train train train"
    twins = [key for key in ranked if Post.objects.get(pk=key).body == "a train"]
    assert twins == sorted(twins, reverse=True)


def test_there_are_two_hundred_in_pages_and_it_says_that_there_were_more(
    client, bob, django_assert_num_queries
):
    Post.objects.bulk_create([Post(author=bob, body=f"train {number}") for number in range(205)])
    seen = set()
    for start in range(0, 200, 20):
        with django_assert_num_queries(3):  # the best keys, those to be seen, the posts
            response = client.get(URL, {"q": "train", "from": start})
        seen |= {post.pk for post in response.context["posts"]}
    assert (len(seen), response.context["following"]) == (200, None)
    assert "the best 200 of many" in response.content.decode()


def test_one_that_is_all_is_not_called_the_best_of_many(client, write):
    write("train")
    assert "1 found." in client.get(URL, {"q": "train"}).content.decode()


@pytest.mark.parametrize("why", ["blocked", "muted", "hidden", "closed"])
def test_nothing_is_found_that_is_not_to_be_seen(client, alice, bob, write, why):
    write("train")
    client.force_login(alice)
    assert "<mark>train</mark>" in client.get(URL, {"q": "train"}).content.decode()
    if why == "blocked":
        Block.objects.put(bob, alice)
    elif why == "muted":
        Mute.objects.create(muter=alice, muted=bob)
    elif why == "hidden":
        Post.objects.update(hidden_at=timezone.now())
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert "<mark>train</mark>" not in client.get(URL, {"q": "train"}).content.decode()


@pytest.mark.parametrize("start", ["x", "-1", "²", "99999", ""])
def test_a_bad_place_is_a_404(client, start):
    assert client.get(URL, {"q": "a", "from": start}).status_code == 404


def test_too_many_questions_keep_the_words(client, monkeypatch, settings):
    monkeypatch.setitem(limits.RATES, "search", limits.Rate(1, 1, 300))
    client.get(URL, {"q": "train"})
    response = client.get(URL, {"q": "train"})
    assert response.status_code == 429
    assert "Please try again in" in response.content.decode()
    assert 'value="train"' in response.content.decode()


def test_it_is_not_a_place_to_send_things_to(client):
    assert client.post(URL, {"q": "train"}).status_code == 405


def test_folding_keeps_every_place():
    text = "İstanbul ÉÑ ﬁ ß 晚 é 😀"
    assert len(fold(text)) == len(text)
    assert tokens(fold("Café-晚霞 3.14")) == ["cafe", "晚", "霞", "3", "14"]


@pytest.mark.postgres
def test_the_index_can_answer():
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL enable_seqscan = off"
        )  # on a table as small as this one it is as good
        cursor.execute("EXPLAIN SELECT id FROM blog_post_words WHERE words @@ 'rare'::tsquery")
        assert "blog_post_words_search" in str(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_triggers_that_a_rebuilt_table_has_lost_come_back(bob):
    Post.objects.create(author=bob, body="before")
    with connection.cursor() as cursor:
        on = " ON blog_post" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER blog_post_words_changed{on}")
    search_index.install(sender=None, using="default")
    Post.objects.update(body="after")
    assert (found("before"), found("after")) == ([], ["after"])
