import pytest

from blog.tests.accounts.test_signup import find_link
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LOCKED = "Too many wrong passwords"


@pytest.fixture
def sign_in(client):
    def post(login="alice", password="wrong", address="192.0.2.1"):
        return client.post(
            "/accounts/login/", {"login": login, "password": password}, REMOTE_ADDR=address
        )

    return post


@pytest.mark.parametrize("logins", [["alice"], ["nobody"], ["alice", "Alice@microblog.example"]])
def test_ten_failed_logins_lock_account_for_address(sign_in, alice, logins):
    for number in range(10):
        assert LOCKED not in sign_in(logins[number % len(logins)]).content.decode()
    assert LOCKED in sign_in(logins[0]).content.decode()


def test_lock_applies_to_one_address_only(sign_in, alice):
    for _ in range(10):
        sign_in()
    assert LOCKED in sign_in(password=PASSWORD).content.decode()
    assert sign_in(password=PASSWORD, address="192.0.2.2").status_code == 302


def test_hundred_failed_logins_lock_account_everywhere(sign_in, alice):
    for number in range(100):
        assert LOCKED not in sign_in(address=f"198.51.100.{number}").content.decode()
    assert LOCKED in sign_in(address="203.0.113.1").content.decode()


def test_successful_logins_do_not_count(sign_in, alice, client):
    for _ in range(12):
        assert sign_in(password=PASSWORD).status_code == 302
        client.logout()


def test_password_reset_lifts_lock(sign_in, alice, client, capture_mails):
    for _ in range(10):
        sign_in(address="127.0.0.1")
    with capture_mails() as mails:
        client.post("/accounts/password/reset/", {"email": alice.email})
    page = client.get(find_link(mails[0], "password/reset/key"), follow=True)
    with capture_mails():
        client.post(
            page.request["PATH_INFO"], {"password1": "rain in june", "password2": "rain in june"}
        )
    assert sign_in(password="rain in june", address="127.0.0.1").status_code == 302


def test_ipv6_network_counts_as_one_address(sign_in, alice):
    for number in range(10):
        assert LOCKED not in sign_in(address=f"2001:db8:0:1::{number:x}").content.decode()
    assert LOCKED in sign_in(address="2001:db8:0:1:ffff::1").content.decode()
    assert LOCKED not in sign_in(address="2001:db8:0:2::1").content.decode()


def test_mapped_ipv4_addresses_count_apart(sign_in, alice):
    for _ in range(10):
        sign_in(address="::ffff:192.0.2.1")
    assert LOCKED in sign_in(address="192.0.2.1").content.decode()
    assert LOCKED not in sign_in(address="::ffff:192.0.2.2").content.decode()


@pytest.mark.parametrize(
    ("addresses", "last_status"),
    [
        ([f"2001:db8:0:1:{n:x}::1" for n in range(21)], 429),
        ([f"::ffff:192.0.2.{n}" for n in range(21)], 302),
    ],
)
def test_allauth_counts_ipv6_by_network(client, capture_mails, addresses, last_status):
    """django-allauth allows 20 password resets a minute from an address."""
    with capture_mails():
        statuses = [
            client.post(
                "/accounts/password/reset/",
                {"email": f"{n}@microblog.example"},
                REMOTE_ADDR=address,
            ).status_code
            for n, address in enumerate(addresses)
        ]
    assert statuses == [302] * 20 + [last_status]


def test_too_many_requests_page_is_shown(client, capture_mails):
    with capture_mails():
        for _ in range(6):
            response = client.post("/accounts/password/reset/", {"email": "x@microblog.example"})
    assert response.status_code == 429
    assert "Please wait a few minutes" in response.content.decode()
