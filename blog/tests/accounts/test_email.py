import pytest

from blog.models import User
from blog.tests.accounts.test_signup import link
from conftest import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "new@microblog.example"


def test_the_new_address_is_confirmed_and_the_old_one_told(
    reauthenticated_client, alice, capture_mails
):
    with capture_mails() as mails:
        reauthenticated_client.post("/accounts/email/", {"email": NEW, "action_add": ""})
    assert [mail.to for mail in mails] == [[NEW]]
    page = reauthenticated_client.get("/accounts/email/").content.decode()
    assert alice.email in page
    assert "Waiting to be confirmed" in page
    assert alice.confirmed_email == alice.email
    with capture_mails() as told:
        assert (
            reauthenticated_client.post(link(mails[0], "confirm-email")).url == "/accounts/email/"
        )
    assert alice.confirmed_email == NEW
    assert User.objects.get(pk=alice.pk).email == NEW
    assert [mail.to for mail in told] == [[alice.email]]
    assert NEW in told[0].body
    assert "password/reset" not in told[0].body  # it would not work any more


def test_the_change_can_be_called_off(reauthenticated_client, alice, capture_mails):
    with capture_mails() as mails:
        reauthenticated_client.post("/accounts/email/", {"email": NEW, "action_add": ""})
    with capture_mails():
        reauthenticated_client.post("/accounts/email/", {"email": NEW, "action_remove": ""})
    assert reauthenticated_client.post(link(mails[0], "confirm-email")).status_code == 404
    assert alice.confirmed_email == alice.email


def test_an_address_of_another_account_is_not_told_apart(
    reauthenticated_client, alice, bob, capture_mails
):
    with capture_mails() as mails:
        response = reauthenticated_client.post(
            "/accounts/email/", {"email": bob.email, "action_add": ""}
        )
    assert response.url == "/accounts/email/"
    page = reauthenticated_client.get(link(mails[0], "confirm-email")).content.decode()
    assert "This address is taken" in page
    assert bob.confirmed_email == bob.email


@pytest.mark.parametrize("email", ["nonsense", "", "alice@microblog.example"])
def test_a_bad_one_is_refused(reauthenticated_client, alice, email):
    assert (
        "field-error"
        in reauthenticated_client.post(
            "/accounts/email/", {"email": email, "action_add": ""}
        ).content.decode()
    )


def test_the_password_is_asked_for_again_after_a_while(
    reauthenticated_client, alice, capture_mails
):
    session = reauthenticated_client.session
    del session["account_authentication_methods"]
    session.save()
    response = reauthenticated_client.post("/accounts/email/", {"email": NEW, "action_add": ""})
    assert response.url.startswith("/accounts/reauthenticate/")
    assert "Is it you?" in reauthenticated_client.get(response.url).content.decode()
    wrong = reauthenticated_client.post(
        response.url, {"password": "wrong", "next": "/accounts/email/"}
    )
    assert "This is not your password." in wrong.content.decode()
    with capture_mails() as mails:
        reauthenticated_client.post(
            response.url, {"password": PASSWORD, "next": "/accounts/email/"}
        )
    assert [mail.to for mail in mails] == [[NEW]]
