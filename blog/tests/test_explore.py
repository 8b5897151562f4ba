import pytest
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


def test_explore_without_posts_says_so(client):
    assert "Nobody has written anything yet." in client.get(URL).content.decode()


def test_explore_with_invalid_cursor_is_404(client):
    assert client.get(URL, {"before": "nonsense"}).status_code == 404


def test_explore_rejects_post(client):
    assert client.post(URL).status_code == 405
