import pytest
from django.contrib.sessions.models import Session
from model_bakery import baker

from blog.accounts import deletion
from blog.models import Post, User
from conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(client, alice):
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    return client


def test_the_page_offers_an_export_and_says_what_stays(signed_in):
    page = signed_in.get("/settings/delete/").content.decode()
    assert "Export your account" in page
    assert "cannot be recalled" in page


def test_everything_goes_and_the_person_is_told(signed_in, alice, bob, capture_mails):
    baker.make(Post, author=alice)
    baker.make(Post, author=bob)
    elsewhere = type(signed_in)()
    elsewhere.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    with capture_mails() as mails:
        response = signed_in.post("/settings/delete/", {"password": PASSWORD})
    assert response.url == "/"
    assert "Your account is gone" in signed_in.get("/").content.decode()
    assert list(User.objects.all()) == [bob]
    assert [post.author for post in Post.objects.all()] == [bob]
    assert elsewhere.get("/settings/").status_code == 302
    assert "alice" not in str([session.get_decoded() for session in Session.objects.all()])
    assert not Session.objects.filter(session_data="").exists()
    assert [(mail.to, mail.subject) for mail in mails] == [
        ([alice.email], "[Microblog] Your account is gone")
    ]


@pytest.mark.parametrize("typed", [{"password": "wrong"}, {"password": ""}, {}])
def test_without_the_password_nothing_goes(signed_in, alice, typed):
    response = signed_in.post("/settings/delete/", typed)
    assert response.status_code in {200, 422}
    assert User.objects.filter(pk=alice.pk).exists()


def test_the_password_is_not_guessed_there_either(signed_in, alice):
    for _ in range(10):
        signed_in.post("/settings/delete/", {"password": "wrong"})
    signed_in.post("/settings/delete/", {"password": PASSWORD})
    assert User.objects.filter(pk=alice.pk).exists()


def test_a_stranger_deletes_nothing(client, alice):
    assert client.post("/settings/delete/", {"password": PASSWORD}).url.startswith(
        "/accounts/login/"
    )
    assert User.objects.exists()


def test_what_others_keep_is_asked_for_first_and_nothing_goes_if_that_fails(alice, monkeypatch):
    def fail(user):
        raise RuntimeError(user.username)

    monkeypatch.setattr(deletion, "_callbacks", [fail])
    with pytest.raises(RuntimeError, match="alice"):
        deletion.delete_account(alice)
    assert User.objects.filter(pk=alice.pk).exists()
