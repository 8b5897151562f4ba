import pytest
from django.contrib.sessions.models import Session
from model_bakery import baker

from blog.accounts import deletion
from blog.models import Post, User
from conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in_client(client, alice):
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    return client


def test_delete_page_offers_export_and_explains(signed_in_client):
    page = signed_in_client.get("/settings/delete/").content.decode()
    assert "Export your account" in page
    assert "cannot be recalled" in page


def test_account_deletion_deletes_everything_and_sends_mail(
    signed_in_client, alice, bob, capture_mails
):
    baker.make(Post, author=alice)
    baker.make(Post, author=bob)
    other_client = type(signed_in_client)()
    other_client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    with capture_mails() as mails:
        response = signed_in_client.post("/settings/delete/", {"password": PASSWORD})
    assert response.url == "/"
    assert "Your account is gone" in signed_in_client.get("/").content.decode()
    assert list(User.objects.all()) == [bob]
    assert [post.author for post in Post.objects.all()] == [bob]
    assert other_client.get("/settings/").status_code == 302
    assert "alice" not in str([session.get_decoded() for session in Session.objects.all()])
    assert not Session.objects.filter(session_data="").exists()
    assert [(mail.to, mail.subject) for mail in mails] == [
        ([alice.email], "[Microblog] Your account is gone")
    ]


@pytest.mark.parametrize("data", [{"password": "wrong"}, {"password": ""}, {}])
def test_account_deletion_requires_password(signed_in_client, alice, data):
    response = signed_in_client.post("/settings/delete/", data)
    assert response.status_code in {200, 422}
    assert User.objects.filter(pk=alice.pk).exists()


def test_account_deletion_limits_password_guesses(signed_in_client, alice):
    for _ in range(10):
        signed_in_client.post("/settings/delete/", {"password": "wrong"})
    signed_in_client.post("/settings/delete/", {"password": PASSWORD})
    assert User.objects.filter(pk=alice.pk).exists()


def test_account_deletion_requires_login(client, alice):
    assert client.post("/settings/delete/", {"password": PASSWORD}).url.startswith(
        "/accounts/login/"
    )
    assert User.objects.exists()


def test_failing_deletion_callback_rolls_back_deletion(alice, monkeypatch):
    def fail(user):
        raise RuntimeError(user.username)

    monkeypatch.setattr(deletion, "_callbacks", [fail])
    with pytest.raises(RuntimeError, match="alice"):
        deletion.delete_account(alice)
    assert User.objects.filter(pk=alice.pk).exists()
