import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password

from blog.tests.accounts.test_signup import find_link
from conftest import PASSWORD
from microblog.settings import PASSWORD_HASHERS

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

NEW = "rain in june"


def test_password_reset_sets_new_password(client, alice, capture_mails):
    with capture_mails() as mails:
        response = client.post("/accounts/password/reset/", {"email": "Alice@microblog.example"})
    assert "Look into your mailbox" in client.get(response.url).content.decode()
    url = find_link(mails[0], "password/reset/key")
    form = client.get(url, follow=True)
    assert url.encode() not in form.content  # a Referer header would leak the key
    with capture_mails() as notices:
        done = client.post(
            form.request["PATH_INFO"], {"password1": NEW, "password2": NEW}, follow=True
        )
    assert "Your password is set" in done.content.decode()
    assert [mail.subject for mail in notices] == ["[Microblog] Your password was changed"]
    assert client.post("/accounts/login/", {"login": "alice", "password": NEW}).status_code == 302
    assert "does not work any more" in type(client)().get(url, follow=True).content.decode()


def test_password_reset_does_not_reveal_accounts(client, alice, capture_mails):
    responses = []
    for email in (alice.email, "nobody@microblog.example"):
        with capture_mails() as mails:
            response = client.post("/accounts/password/reset/", {"email": email})
        responses.append((response.status_code, response.url, response.content))
        assert [mail.to for mail in mails] == [[email]]
    assert responses[0] == responses[1]
    assert mails[0].subject == "[Microblog] There is no account with your address"


def test_password_reset_ignores_unconfirmed_address(client, alice, capture_mails):
    EmailAddress.objects.create(user=alice, email="typo@microblog.example")
    with capture_mails() as mails:
        client.post("/accounts/password/reset/", {"email": "typo@microblog.example"})
    assert "password/reset/key" not in mails[0].body


def test_password_reset_link_ignores_host_header(client, alice, capture_mails, settings):
    settings.ALLOWED_HOSTS = ["*"]
    with capture_mails() as mails:
        client.post(
            "/accounts/password/reset/", {"email": alice.email}, headers={"host": "evil.example"}
        )
    assert "evil.example" not in mails[0].body


def test_invalid_reset_link_shows_error(client, alice):
    page = client.get(f"/accounts/password/reset/key/{alice.pk}-nonsense/")
    assert "does not work any more" in page.content.decode()


def test_password_change_ends_other_sessions(client, alice, capture_mails):
    other = type(client)()
    for browser in (client, other):
        browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    data = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    with capture_mails() as mails:
        response = client.post("/accounts/password/change/", data)
    assert response.url == "/settings/"
    assert [mail.subject for mail in mails] == ["[Microblog] Your password was changed"]
    assert "127.0.0.1" in mails[0].body
    assert client.get("/settings/").status_code == 200
    assert other.get("/settings/").status_code == 302


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"oldpassword": "wrong"}, "not your present password"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password2": "different"}, "not the same"),
    ],
)
def test_invalid_password_change_is_rejected(client, alice, changes, message):
    client.force_login(alice)
    data = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW} | changes
    assert message in client.post("/accounts/password/change/", data).content.decode()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_passwords_are_hashed_with_argon2id():
    hashed = make_password(PASSWORD, hasher="argon2")
    assert hashed.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    # The tests' own settings put a faster hasher first.
    assert PASSWORD_HASHERS[0] == "blog.accounts.passwords.Argon2idHasher"


def test_password_of_maximum_length_is_accepted(client, alice, capture_mails):
    client.force_login(alice)
    long = "ab c" * 32
    with capture_mails():
        client.post(
            "/accounts/password/change/",
            {"oldpassword": PASSWORD, "password1": long, "password2": long},
        )
    alice.refresh_from_db()
    assert alice.check_password(long)
