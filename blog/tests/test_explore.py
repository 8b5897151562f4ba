import pytest
from django.urls import reverse
from model_bakery import baker

from blog.models import Post

pytestmark = pytest.mark.django_db
URL = "/explore/"


def test_explore_shows_posts_of_everyone(client, alice, bob):
    baker.make(Post, author=bob, body="by a stranger")
    client.force_login(alice)
    assert "by a stranger" in client.get(URL).content.decode()
    assert "by a stranger" not in client.get("/").content.decode()


def test_explore_query_count_for_visitors(client, alice, django_assert_num_queries):
    baker.make(Post, body="hello", _quantity=25)
    with django_assert_num_queries(1):
        client.get(URL)
    baker.make(Post, body="hello @alice and @nobody", _quantity=25)
    with django_assert_num_queries(2):
        client.get(URL)


def test_explore_reversals_do_not_grow_with_posts(client, alice, monkeypatch):
    client.force_login(alice)
    paths = []
    monkeypatch.setattr(
        "django.urls.reverse",
        lambda *args, **kwargs: paths.append(args) or reverse(*args, **kwargs),
    )
    baker.make(Post)
    client.get(URL)
    for_one = len(paths)
    baker.make(Post, _quantity=19)
    client.get(URL)
    assert 0 < for_one == len(paths) - for_one


def test_explore_without_posts_says_so(client):
    assert "Nobody has written anything yet." in client.get(URL).content.decode()


def test_explore_with_invalid_cursor_is_404(client):
    assert client.get(URL, {"before": "nonsense"}).status_code == 404


def test_explore_rejects_post(client):
    assert client.post(URL).status_code == 405
