import time

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import Argon2PasswordHasher, check_password, make_password
from django.core.exceptions import ValidationError

from blog.accounts.passwords import PasswordStrengthValidator
from blog.models import User
from blog.tests.accounts.test_signup import find_link
from conftest import PASSWORD
from microblog.settings import PASSWORD_HASHERS

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

NEW = "rain in june"


def test_password_reset_sets_new_password(client, alice, capture_mails):
    with capture_mails() as mails:
        response = client.post("/accounts/password/reset/", {"email": "Alice@microblog.example"})
    assert "Check your inbox" in client.get(response.url).content.decode()
    url = find_link(mails[0], "password/reset/key")
    form = client.get(url, follow=True)
    assert url.encode() not in form.content  # a Referer header would leak the key
    with capture_mails() as notices:
        done = client.post(
            form.request["PATH_INFO"], {"password1": NEW, "password2": NEW}, follow=True
        )
    assert "Your password has been set" in done.content.decode()
    assert [mail.subject for mail in notices] == ["[Microblog] Your password was changed"]
    assert client.post("/accounts/login/", {"login": "alice", "password": NEW}).status_code == 302
    assert "no longer works" in type(client)().get(url, follow=True).content.decode()


def test_password_reset_does_not_reveal_accounts(client, alice, capture_mails):
    responses = []
    for email in (alice.email, "nobody@microblog.example"):
        with capture_mails() as mails:
            response = client.post("/accounts/password/reset/", {"email": email})
        responses.append((response.status_code, response.url, response.content))
        assert [mail.to for mail in mails] == [[email]]
    assert responses[0] == responses[1]
    assert mails[0].subject == "[Microblog] There's no account with your email address"


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
    assert "no longer works" in page.content.decode()


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
        ({"oldpassword": "wrong"}, "not your current password"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password2": "different"}, "passwords don"),
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
    long = ("lantern over quiet gravel " * 5)[:127] + "!"
    with capture_mails():
        client.post(
            "/accounts/password/change/",
            {"oldpassword": PASSWORD, "password1": long, "password2": long},
        )
    alice.refresh_from_db()
    assert alice.check_password(long)


COMPOSED, DECOMPOSED = "schöne grüße", "scho\u0308ne gru\u0308ße"


@pytest.fixture
def argon2(settings):
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS


@pytest.mark.parametrize(
    ("typed", "other"),
    [
        (COMPOSED, DECOMPOSED),
        ("ｆｕｌｌ　width", "full width"),
        ("パスワードです", "ﾊﾟｽﾜｰﾄﾞです"),
        ("ﬁne A\u030angstrom", "fine \u212bngstrom"),
    ],
)
def test_password_counts_in_every_unicode_form(argon2, typed, other):
    for first, second in ((typed, other), (other, typed)):
        encoded = make_password(first)
        assert check_password(first, encoded)
        assert check_password(second, encoded)
        assert not check_password(f"{second}x", encoded)


@pytest.mark.parametrize("password", [DECOMPOSED, "ﾊﾟｽﾜｰﾄﾞです"])
def test_password_hashed_as_typed_still_counts(argon2, password):
    encoded = Argon2PasswordHasher().encode(password, "saltsaltsalt")
    assert check_password(password, encoded)
    assert not check_password(password + "x", encoded)


def test_unknown_user_costs_as_many_hashes(argon2, client, alice, monkeypatch, settings):
    settings.RATE_LIMITS = False
    alice.set_password(COMPOSED)
    alice.save()
    counts = []

    def counted(original):
        def run(*args):
            counts.append(original)
            return original(*args)

        return run

    for name in ("encode", "verify"):
        original = getattr(Argon2PasswordHasher, name)
        monkeypatch.setattr(Argon2PasswordHasher, name, counted(original))
    numbers = []
    for login in ("alice", "nobody"):
        counts.clear()
        client.post("/accounts/login/", {"login": login, "password": "e\u0301" * 6})
        numbers.append(len(counts))
    assert numbers == [2, 2]


def test_sign_in_accepts_other_unicode_form(argon2, client, alice):
    alice.set_password(COMPOSED)
    alice.save()
    response = client.post("/accounts/login/", {"login": "alice", "password": DECOMPOSED})
    assert response.url == "/"


def test_well_known_password_in_other_form_is_refused(client):
    data = {"username": "dora", "email": "dora@microblog.example"}
    password = "ｐａｓｓｗｏｒｄ１２３"
    response = client.post(
        "/accounts/signup/", data | {"password1": password, "password2": password}
    )
    assert response.status_code == 200
    assert not User.objects.filter(username="dora").exists()


EASY = [
    *("microblog", "Microblog#1", "M1cr0bl0g!", "golbOrcim", "microblogmicroblog"),  # the site
    *("localhost1", "example2026"),  # its host, as in the tests' settings
    *("Password2026", "contraseña1", "密码1234", "mima1234"),  # "password" and a year
    *("kestrel1971", "K3strelMoor", "heron2025", "jane.doe71!", "granite1"),  # the user
    *("qazwsxedc", "19870412", "aaaaaaaaaaaaaaaa", "abcdefghijkl", "iloveyou2", "trustno1!"),
    "a" * 128,
]
HARD = ["rain in june", "lantern over quiet gravel", "fzwkqpaj", "我喜欢在雨里走路", "7#mV!q2z"]


@pytest.fixture
def is_accepted(settings):
    settings.SITE_HOST = "example.localhost"
    user = User(
        username="Kestrel.Moor", email="Jane.Doe71@heron.example", about_me="I like granite tops"
    )

    def check(password):
        try:
            PasswordStrengthValidator().validate(password, user)
        except ValidationError:
            return False
        return True

    return check


def test_easily_guessed_passwords_are_rejected(is_accepted):
    assert [password for password in EASY if is_accepted(password)] == []


def test_hard_passwords_are_accepted(is_accepted):
    assert [password for password in HARD if not is_accepted(password)] == []


def test_words_of_other_users_are_not_guessable():
    PasswordStrengthValidator().validate("kestrel granite", User(username="alice"))
    PasswordStrengthValidator().validate("kestrel granite", None)


@pytest.mark.parametrize("pattern", ["4@8({[<369&#@!1l|i0o$5+7%2z", "p4ssw0rd1987qwerty", "1!|i"])
def test_strength_of_crafted_password_takes_no_second(is_accepted, pattern):
    start = time.process_time()
    is_accepted((pattern * 128)[:128])
    assert time.process_time() - start < 0.7


@pytest.mark.parametrize("password", ["microblog", "microblog-alice2", "Password2026"])
def test_weak_password_is_rejected_on_every_page(client, alice, password):
    pages = {
        "/accounts/signup/": {"username": "carol", "email": "carol@microblog.example"},
        "/accounts/password/change/": {"oldpassword": PASSWORD},
    }
    for path, data in pages.items():
        response = client.post(path, data | {"password1": password, "password2": password})
        assert "easy to guess" in response.content.decode()
        client.force_login(alice)
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
