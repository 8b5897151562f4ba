import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(alice):
    return f"/posts/{baker.make(Post, author=alice, body='gone soon').pk}/delete/"


def test_delete_confirmation_changes_nothing(client, alice, url):
    client.force_login(alice)
    page = client.get(url).content.decode()
    assert "Delete this post?" in page
    assert "gone soon" in page
    assert Post.objects.exists()


def test_confirmed_delete_removes_the_post(client, alice, url):
    baker.make(Post, author=alice, body="stays")
    client.force_login(alice)
    assert client.post(url).url == "/@alice/"
    assert Post.objects.get().body == "stays"
    assert client.post(url).status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
def test_stranger_cannot_delete_post(client, bob, url, method):
    client.force_login(bob)
    assert getattr(client, method)(url).status_code == 404
    assert Post.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_visitors_delete_redirects_to_sign_in(client, url, method):
    assert getattr(client, method)(url).url == f"/accounts/login/?next={url}"
    assert Post.objects.exists()


def test_post_delete_rejects_other_methods(client, alice, url):
    client.force_login(alice)
    assert client.delete(url).status_code == 405
