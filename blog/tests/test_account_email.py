import pytest

from blog.models import User
from blog.tests.test_account_signup import link
from conftest import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "new@microblog.example"


@pytest.fixture
def signed_in(client, alice):
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    return client


def test_the_new_address_is_confirmed_and_the_old_one_told(signed_in, alice, new_mails):
    with new_mails() as mails:
        signed_in.post("/accounts/email/", {"email": NEW, "action_add": ""})
    assert [mail.to for mail in mails] == [[NEW]]
    page = signed_in.get("/accounts/email/").content.decode()
    assert alice.email in page
    assert "Waiting to be confirmed" in page
    assert alice.confirmed_email == alice.email
    with new_mails() as told:
        assert signed_in.post(link(mails[0], "confirm-email")).url == "/accounts/email/"
    assert alice.confirmed_email == NEW
    assert User.objects.get(pk=alice.pk).email == NEW
    assert [mail.to for mail in told] == [[alice.email]]
    assert NEW in told[0].body


def test_the_change_can_be_called_off(signed_in, alice, new_mails):
    with new_mails() as mails:
        signed_in.post("/accounts/email/", {"email": NEW, "action_add": ""})
    with new_mails():
        signed_in.post("/accounts/email/", {"email": NEW, "action_remove": ""})
    assert signed_in.post(link(mails[0], "confirm-email")).status_code == 404
    assert alice.confirmed_email == alice.email


def test_an_address_of_another_account_is_not_told_apart(signed_in, alice, bob, new_mails):
    with new_mails() as mails:
        response = signed_in.post("/accounts/email/", {"email": bob.email, "action_add": ""})
    assert response.url == "/accounts/email/"
    page = signed_in.get(link(mails[0], "confirm-email")).content.decode()
    assert "This address is taken" in page
    assert bob.confirmed_email == bob.email


@pytest.mark.parametrize("email", ["nonsense", "", "alice@microblog.example"])
def test_a_bad_one_is_refused(signed_in, alice, email):
    assert "field-error" in signed_in.post("/accounts/email/", {"email": email, "action_add": ""}).content.decode()


def test_the_password_is_asked_for_again_after_a_while(signed_in, alice, new_mails):
    session = signed_in.session
    session["account_authentication_methods"] = [{"method": "password", "at": 0}]
    session.save()
    response = signed_in.post("/accounts/email/", {"email": NEW, "action_add": ""})
    assert response.url.startswith("/accounts/reauthenticate/")
    assert "Is it you?" in signed_in.get(response.url).content.decode()
    wrong = signed_in.post(response.url, {"password": "wrong", "next": "/accounts/email/"})
    assert "Incorrect password" in wrong.content.decode()
    with new_mails() as mails:
        signed_in.post(response.url, {"password": PASSWORD, "next": "/accounts/email/"})
    assert [mail.to for mail in mails] == [[NEW]]
