import pytest
from model_bakery import baker

from blog.models import Post

pytestmark = pytest.mark.django_db


def test_visitor_can_read_post(client, alice):
    post = baker.make(Post, author=alice, body="<b> for @alice")
    page = client.get(f"/posts/{post.pk}/").content.decode()
    assert "&lt;b&gt; for" in page
    assert ">@alice</a>" in page
    assert "/edit/" not in page


@pytest.mark.parametrize(("name", "count"), [("alice", 1), ("bob", 0)])
def test_edit_and_delete_are_shown_to_author_only(client, alice, bob, name, count):
    post = baker.make(Post, author=alice)
    client.force_login({"alice": alice, "bob": bob}[name])
    page = client.get(f"/posts/{post.pk}/").content.decode()
    assert page.count(f"/posts/{post.pk}/edit/") == page.count(f"/posts/{post.pk}/delete/") == count


@pytest.mark.parametrize("pk", ["0", "9" * 30])
def test_missing_post_is_404(client, pk):
    assert client.get(f"/posts/{pk}/").status_code == 404


def test_post_detail_rejects_post(client):
    assert client.post(f"/posts/{baker.make(Post).pk}/").status_code == 405
