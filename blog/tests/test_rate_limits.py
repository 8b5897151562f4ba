import math

import pytest

from blog import rate_limits
from conftest import PASSWORD
from microblog.cache import FailOpenRedisCache

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture(autouse=True)
def low_limits(monkeypatch, settings):
    """Allow each action twice an hour per user, three times per address."""
    settings.RATE_LIMITS = True
    monkeypatch.setattr(
        rate_limits, "RATES", dict.fromkeys(rate_limits.RATES, rate_limits.Rate(2, 3, 3600))
    )


@pytest.fixture
def create_post(client):
    def create(user, body="Hello", **extra):
        client.force_login(user)
        return client.post("/posts/", {"body": body}, **extra)

    return create


def test_limited_post_keeps_text_and_says_when(create_post, alice):
    for number in range(2):
        assert create_post(alice, f"Number {number}").status_code == 302
    response = create_post(alice, "Number two")
    assert response.status_code == 429
    assert response["Retry-After"] == "3540"
    assert "Please try again in 59 minutes." in response.content.decode()
    assert "Number two</textarea>" in response.content.decode()
    assert alice.posts.count() == 2


def test_edit_counts_as_post(client, create_post, alice):
    create_post(alice)
    url = f"/posts/{alice.posts.get().pk}/edit/"
    assert [client.post(url, {"body": text}).status_code for text in ("Changed", "Once more")] == [
        302,
        429,
    ]
    assert "Once more</textarea>" in client.post(url, {"body": "Once more"}).content.decode()
    assert alice.posts.get().body == "Changed"


def test_users_share_the_limit_of_their_address(create_post, alice, bob):
    assert [create_post(user).status_code for user in (alice, bob, alice)] == [302] * 3
    assert create_post(bob).status_code == 429
    assert bob.posts.count() == 1


def test_rejection_by_address_does_not_count_for_user(create_post, alice, bob):
    assert [create_post(user).status_code for user in (alice, bob, alice, bob)] == [
        302,
        302,
        302,
        429,
    ]
    assert [create_post(bob, "Again", REMOTE_ADDR="192.0.2.9").status_code for _ in range(2)] == [
        302,
        429,
    ]


def test_rejection_by_user_does_not_count_for_address(create_post, alice, bob):
    assert [create_post(alice).status_code for _ in range(4)] == [302, 302, 429, 429]
    assert create_post(bob).status_code == 302


def test_limit_resets_in_next_window(create_post, alice, monkeypatch):
    assert [create_post(alice).status_code for _ in range(3)] == [302, 302, 429]
    monkeypatch.setattr("blog.rate_limits.time.time", lambda: 3601.0)
    assert create_post(alice).status_code == 302


def test_limited_button_gets_429_page(client, alice, bob):
    client.force_login(alice)
    for _ in range(2):
        client.post("/@bob/follow/")
    response = client.post("/@bob/unfollow/")
    assert response.status_code == 429
    assert "Please try again in 59 minutes." in response.content.decode()
    assert alice.following.count() == 1


def test_limits_fail_open_without_cache(create_post, alice, monkeypatch):
    monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", math.inf)
    assert [create_post(alice).status_code for _ in range(4)] == [302] * 4


@pytest.mark.parametrize("address", ["", "unix:", None])
def test_unknown_address_is_limited_by_user(create_post, alice, bob, client, address):
    """An address is unknown behind a proxy that connects by a Unix socket."""
    for user in (alice, bob):
        assert [create_post(user, REMOTE_ADDR=address).status_code for _ in range(3)] == [
            302,
            302,
            429,
        ]
    client.logout()
    assert {client.get("/search/?q=x", REMOTE_ADDR=address).status_code for _ in range(5)} == {200}


def test_forwarded_address_is_ignored_without_proxy(create_post, alice, bob, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    statuses = [
        create_post(user, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}").status_code
        for number, user in enumerate([alice, alice, bob, bob])
    ]
    assert statuses == [302, 302, 302, 429]


def test_only_address_by_proxy_is_used(create_post, alice, bob, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1  # as with BEHIND_PROXY
    forged = [
        create_post(user, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}, 198.51.100.7").status_code
        for number, user in enumerate([alice, alice, bob, bob])
    ]
    assert forged == [302, 302, 302, 429]
    assert create_post(bob, HTTP_X_FORWARDED_FOR="198.51.100.8").status_code == 302


@pytest.mark.parametrize(
    ("first", "others"),
    [
        ("2001:db8:0:1::1", ["2001:db8:0:1::2", "2001:db8:0:1:f:f:f:f", "2001:DB8:0:1::3"]),
        ("192.0.2.1", ["::ffff:192.0.2.1", "192.0.2.1:4711", "::ffff:c000:201"]),
        ("fe80::1%eth0", ["fe80::2%eth1", "fe80::3", "[fe80::4]:4711"]),
    ],
)
def test_addresses_of_one_network_share_limit(client, db, first, others):
    statuses = [
        client.get("/search/?q=x", REMOTE_ADDR=address).status_code for address in [first, *others]
    ]
    assert statuses == [200, 200, 200, 429]


@pytest.mark.parametrize(
    "address", ["2001:db8:0:2::1", "192.0.2.2", "::ffff:192.0.2.2", "::1", "::"]
)
def test_addresses_of_other_networks_count_apart(client, db, address):
    for limited in ("2001:db8:0:1::1", "192.0.2.1"):
        for _ in range(4):
            response = client.get("/search/?q=x", REMOTE_ADDR=limited)
        assert response.status_code == 429
    assert client.get("/search/?q=x", REMOTE_ADDR=address).status_code == 200


def test_many_ipv6_addresses_are_limited(client, db, monkeypatch):
    monkeypatch.setitem(rate_limits.RATES, "search", rate_limits.Rate(9, 24, 3600))
    statuses = [
        client.get("/search/?q=x", REMOTE_ADDR=f"2001:db8::{number:x}").status_code
        for number in range(30)
    ]
    assert statuses == [200] * 24 + [429] * 6


def test_polls_are_limited_per_user(client, alice, bob):
    client.force_login(alice)
    assert [client.get("/notifications/").status_code for _ in range(3)] == [200, 200, 429]
    response = client.get("/notifications/")
    assert response["Retry-After"] == "3540"
    assert response.json() == {"error": "That was too often. Please try again in 59 minutes."}
    client.force_login(bob)
    assert client.get("/notifications/").status_code == 200


def test_conversation_polls_are_limited_per_user(client, alice, bob, send_message):
    send_message(bob, alice)
    client.force_login(alice)
    statuses = [client.get("/messages/@bob/news/").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_poll_limit_works_without_cache_server(client, alice, monkeypatch):
    rate = rate_limits.Rate(2, 3, 3600, cache="process")
    monkeypatch.setitem(rate_limits.RATES, "poll", rate)
    monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", math.inf)
    client.force_login(alice)
    assert [client.get("/notifications/").status_code for _ in range(3)] == [200, 200, 429]


def test_sign_in_works_without_address(client, alice):
    assert (
        client.post(
            "/accounts/login/", {"login": "alice", "password": PASSWORD}, REMOTE_ADDR=""
        ).url
        == "/"
    )
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_limits_can_be_turned_off(create_post, alice, settings):
    settings.RATE_LIMITS = False
    assert [create_post(alice).status_code for _ in range(4)] == [302] * 4
