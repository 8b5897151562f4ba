import pytest

from blog.models import User
from blog.tests.accounts.test_signup import find_link
from conftest import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "new@microblog.example"


def test_email_change_needs_confirmation_and_notifies_old_address(
    reauthenticated_client, alice, capture_mails
):
    with capture_mails() as mails:
        reauthenticated_client.post("/accounts/email/", {"email": NEW, "action_add": ""})
    assert [mail.to for mail in mails] == [[NEW]]
    page = reauthenticated_client.get("/accounts/email/").content.decode()
    assert alice.email in page
    assert "Waiting to be confirmed" in page
    assert alice.confirmed_email == alice.email
    with capture_mails() as notices:
        assert (
            reauthenticated_client.post(find_link(mails[0], "confirm-email")).url
            == "/accounts/email/"
        )
    assert alice.confirmed_email == NEW
    assert User.objects.get(pk=alice.pk).email == NEW
    assert [mail.to for mail in notices] == [[alice.email]]
    assert NEW in notices[0].body
    # A password can no longer be reset with the old address.
    assert "password/reset" not in notices[0].body


def test_email_change_can_be_cancelled(reauthenticated_client, alice, capture_mails):
    with capture_mails() as mails:
        reauthenticated_client.post("/accounts/email/", {"email": NEW, "action_add": ""})
    with capture_mails():
        reauthenticated_client.post("/accounts/email/", {"email": NEW, "action_remove": ""})
    assert reauthenticated_client.post(find_link(mails[0], "confirm-email")).status_code == 404
    assert alice.confirmed_email == alice.email


def test_email_change_does_not_reveal_other_accounts(
    reauthenticated_client, alice, bob, capture_mails
):
    with capture_mails() as mails:
        response = reauthenticated_client.post(
            "/accounts/email/", {"email": bob.email, "action_add": ""}
        )
    assert response.url == "/accounts/email/"
    page = reauthenticated_client.get(find_link(mails[0], "confirm-email")).content.decode()
    assert "This address is taken" in page
    assert bob.confirmed_email == bob.email


@pytest.mark.parametrize("email", ["nonsense", "", "alice@microblog.example"])
def test_invalid_email_is_rejected(reauthenticated_client, alice, email):
    assert (
        "field-error"
        in reauthenticated_client.post(
            "/accounts/email/", {"email": email, "action_add": ""}
        ).content.decode()
    )


def test_email_change_requires_reauthentication(reauthenticated_client, alice, capture_mails):
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
