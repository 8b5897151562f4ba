"""MFA, sessions and addresses in the admin."""

import pytest

from blog.accounts.allauth_internals import TOTP, RecoveryCodes

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SECRET = "JBSWY3DPEHPK3PXP"


def test_admin_shows_authenticator_without_secret(client, staff, alice):
    client.force_login(staff)
    authenticator = TOTP.activate(alice, SECRET).instance
    assert "alice" in client.get("/admin/mfa/authenticator/").content.decode()
    pk = authenticator.pk
    for path in ("", f"{pk}/change/", f"{pk}/history/", f"{pk}/delete/"):
        page = client.get(f"/admin/mfa/authenticator/{path}").content.decode()
        assert "sealed:" not in page
        assert authenticator.data["secret"] not in page
    url = f"/admin/mfa/authenticator/{pk}/change/"
    assert client.post(url, {"data": "{}", "user": staff.pk}).status_code == 403


def test_admin_has_no_session_or_address_pages(client, staff, alice):
    client.force_login(staff)
    for path in ("usersessions/usersession/", "account/emailaddress/", "sessions/session/"):
        assert client.get(f"/admin/{path}").status_code == 404


@pytest.mark.parametrize("page", ["delete", "changelist"])
def test_admin_deletes_authenticator_and_notifies_owner(client, staff, alice, capture_mails, page):
    authenticator = TOTP.activate(alice, SECRET).instance
    RecoveryCodes.activate(alice)
    client.force_login(staff)
    with capture_mails() as mails:
        if page == "delete":
            client.post(f"/admin/mfa/authenticator/{authenticator.pk}/delete/", {"post": "yes"})
        else:
            data = {
                "_selected_action": authenticator.pk,
                "action": "delete_selected",
                "post": "yes",
            }
            client.post("/admin/mfa/authenticator/", data)
    assert not alice.authenticator_set.exists()
    assert [(mail.to, mail.subject) for mail in mails] == [
        ([alice.email], "[Microblog] The second factor is off")
    ]
