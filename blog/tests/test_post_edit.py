import pytest
from model_bakery import baker

from blog.forms import PostEditForm
from blog.models import Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def post(alice):
    return baker.make(Post, author=alice, body="first\nwords")


@pytest.fixture
def url(post):
    return f"/posts/{post.pk}/edit/"


def test_edit_form_shows_post(as_alice, url):
    assert "first\nwords</textarea>" in as_alice.get(url).content.decode()


def test_edited_post_is_stored_and_marked(as_alice, url, post):
    assert as_alice.post(url, {"body": "other words"}).url == f"/posts/{post.pk}/"
    changed = Post.objects.get()
    assert changed.body == "other words"
    assert changed.edited_at is not None
    assert changed.created_at == post.created_at
    assert "edited</span>" in as_alice.get("/").content.decode()


def test_unchanged_text_is_not_marked_edited(as_alice, url):
    as_alice.post(url, {"body": "first\r\nwords "})
    assert Post.objects.get().edited_at is None


def test_edit_keeps_concurrent_decision_of_staff(alice, staff, post):
    form = PostEditForm({"body": "other words"}, instance=Post.objects.get())
    post.hide(staff, "Advertising")
    form.is_valid()
    form.save()
    changed = Post.objects.get()
    assert (changed.body, changed.hidden_reason) == ("other words", "Advertising")


@pytest.mark.parametrize("data", [{}, {"body": " "}, {"body": "x" * 501}, {"body": "a\0b"}])
def test_invalid_edit_changes_nothing(as_alice, url, data):
    response = as_alice.post(url, data)
    assert response.status_code == 422
    assert 'id="post-error"' in response.content.decode()
    assert Post.objects.get().body == "first\nwords"


@pytest.mark.parametrize("method", ["get", "post"])
def test_stranger_cannot_edit_post(client, bob, url, method):
    client.force_login(bob)
    assert getattr(client, method)(url, {"body": "mine now"}).status_code == 404
    assert Post.objects.get().body == "first\nwords"


@pytest.mark.parametrize("pk", ["0", "9" * 30])
def test_edit_of_missing_post_is_404(as_alice, pk):
    assert as_alice.get(f"/posts/{pk}/edit/").status_code == 404


def test_edit_survives_expired_session(client, alice, url, post):
    sign_in = client.post(url, {"body": "long and careful words"}).url
    assert sign_in == f"/accounts/login/?next={url}"
    assert "What you wrote is kept." in client.get(sign_in).content.decode()
    client.post(
        "/accounts/login/", {"login": "alice", "password": "a walk beside the river", "next": url}
    )
    assert "long and careful words</textarea>" in client.get(url).content.decode()
    assert "first\nwords</textarea>" in client.get(url).content.decode()
    assert Post.objects.get().body == "first\nwords"


def test_visitors_edit_redirects_to_sign_in(client, url):
    assert client.get(url).url == f"/accounts/login/?next={url}"


def test_post_edit_rejects_other_methods(as_alice, url):
    assert as_alice.put(url).status_code == 405
