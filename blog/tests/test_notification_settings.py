import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
URL = "/settings/notifications/"


def test_notification_settings_are_saved(client, alice):
    client.force_login(alice)
    assert "mentions me in a post" in client.get(URL).content.decode()
    assert client.post(URL, {"has_follow_mail": "on"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.has_follow_mail, alice.has_mention_mail, alice.has_message_mail) == (
        True,
        False,
        False,
    )
    client.post(URL, {})
    alice.refresh_from_db()
    assert not alice.has_follow_mail


def test_notification_settings_warn_without_confirmed_address(client, alice):
    client.force_login(alice)
    alice.emailaddress_set.update(verified=False)
    assert "until you have confirmed" in client.get(URL).content.decode()


def test_anonymous_notification_settings_redirect_to_login(client, db):
    assert client.get(URL).url.startswith("/accounts/login/")
