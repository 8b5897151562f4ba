import pytest
from allauth.account.models import EmailAddress

from blog.tests.accounts.test_signup import link
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

NEW = "rain in june"


def test_a_forgotten_password_is_set_anew(client, alice, capture_mails):
    with capture_mails() as mails:
        response = client.post("/accounts/password/reset/", {"email": "Alice@microblog.example"})
    assert "Look into your mailbox" in client.get(response.url).content.decode()
    url = link(mails[0], "password/reset/key")
    form = client.get(url, follow=True)
    assert url.encode() not in form.content  # the key stays out of the page, and of the Referer
    with capture_mails() as told:
        done = client.post(
            form.request["PATH_INFO"], {"password1": NEW, "password2": NEW}, follow=True
        )
    assert "Your password is set" in done.content.decode()
    assert [mail.subject for mail in told] == ["[Microblog] Your password was changed"]
    assert client.post("/accounts/login/", {"login": "alice", "password": NEW}).status_code == 302
    assert "does not work any more" in type(client)().get(url, follow=True).content.decode()


def test_a_known_address_is_answered_like_an_unknown_one(client, alice, capture_mails):
    answers = []
    for email in (alice.email, "nobody@microblog.example"):
        with capture_mails() as mails:
            response = client.post("/accounts/password/reset/", {"email": email})
        answers.append((response.status_code, response.url, response.content))
        assert [mail.to for mail in mails] == [[email]]
    assert answers[0] == answers[1]
    assert mails[0].subject == "[Microblog] There is no account with your address"


def test_no_link_goes_to_an_address_that_is_yet_to_be_confirmed(client, alice, capture_mails):
    EmailAddress.objects.create(user=alice, email="typo@microblog.example")
    with capture_mails() as mails:
        client.post("/accounts/password/reset/", {"email": "typo@microblog.example"})
    assert "password/reset/key" not in mails[0].body


def test_links_begin_with_the_sites_own_address(client, alice, capture_mails, settings):
    settings.ALLOWED_HOSTS = ["*"]
    with capture_mails() as mails:
        client.post(
            "/accounts/password/reset/", {"email": alice.email}, headers={"host": "evil.example"}
        )
    assert "evil.example" not in mails[0].body


def test_a_bad_link_says_so(client, alice):
    page = client.get(f"/accounts/password/reset/key/{alice.pk}-nonsense/")
    assert "does not work any more" in page.content.decode()


def test_it_is_changed_and_other_sessions_end(client, alice, capture_mails):
    other = type(client)()
    for browser in (client, other):
        browser.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    typed = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    with capture_mails() as mails:
        response = client.post("/accounts/password/change/", typed)
    assert response.url == "/settings/"
    assert [mail.subject for mail in mails] == ["[Microblog] Your password was changed"]
    assert "127.0.0.1" in mails[0].body
    assert client.get("/settings/").status_code == 200
    assert other.get("/settings/").status_code == 302


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"oldpassword": "wrong"}, "not your present password"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password2": "different"}, "not the same"),
    ],
)
def test_a_bad_change_is_refused(client, alice, changes, words):
    client.force_login(alice)
    typed = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW} | changes
    assert words in client.post("/accounts/password/change/", typed).content.decode()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_it_may_be_a_hundred_and_twenty_eight_characters_long(client, alice, capture_mails):
    client.force_login(alice)
    long = "ab c" * 32
    with capture_mails():
        client.post(
            "/accounts/password/change/",
            {"oldpassword": PASSWORD, "password1": long, "password2": long},
        )
    alice.refresh_from_db()
    assert alice.check_password(long)
