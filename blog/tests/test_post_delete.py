import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(alice):
    return f"/posts/{baker.make(Post, author=alice, body='gone soon').pk}/delete/"


def test_it_asks_once_and_changes_nothing_by_asking(client, alice, url):
    client.force_login(alice)
    page = client.get(url).content.decode()
    assert "Delete this post?" in page
    assert "gone soon" in page
    assert Post.objects.exists()


def test_the_answer_deletes_it(client, alice, url):
    baker.make(Post, author=alice, body="stays")
    client.force_login(alice)
    assert client.post(url).url == "/@alice/"
    assert Post.objects.get().body == "stays"
    assert client.post(url).status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_finds_nothing(client, bob, url, method):
    client.force_login(bob)
    assert getattr(client, method)(url).status_code == 404
    assert Post.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_visitor_signs_in(client, url, method):
    assert getattr(client, method)(url).url == f"/accounts/login/?next={url}"
    assert Post.objects.exists()


def test_no_other_method_is_known(client, alice, url):
    client.force_login(alice)
    assert client.delete(url).status_code == 405
