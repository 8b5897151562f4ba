import math

import pytest

from blog import rate_limits as limits
from blog.rate_limits import Rate
from conftest import PASSWORD
from microblog.cache import FailOpenRedisCache

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture(autouse=True)
def twice(monkeypatch, settings):
    """Everything may be done twice an hour by a person, three times from an address."""
    settings.RATE_LIMITS = True
    monkeypatch.setattr(limits, "RATES", dict.fromkeys(limits.RATES, Rate(2, 3, 3600)))


@pytest.fixture
def write(client, alice, bob):
    def post(person, body="Hello", **more):
        client.force_login(person)
        return client.post("/posts/", {"body": body}, **more)

    return post


def test_it_says_when_to_come_back_and_keeps_what_was_typed(write, alice):
    for number in range(2):
        assert write(alice, f"Number {number}").status_code == 302
    response = write(alice, "Number two")
    assert response.status_code == 429
    assert response["Retry-After"] == "3540"
    assert "Please try again in 59 minutes." in response.content.decode()
    assert "Number two</textarea>" in response.content.decode()
    assert alice.posts.count() == 2


def test_changing_a_post_counts_as_writing_one(client, write, alice):
    write(alice)
    url = f"/posts/{alice.posts.get().pk}/edit/"
    assert [client.post(url, {"body": text}).status_code for text in ("Changed", "Once more")] == [
        302,
        429,
    ]
    assert "Once more</textarea>" in client.post(url, {"body": "Once more"}).content.decode()
    assert alice.posts.get().body == "Changed"


def test_people_are_counted_each_for_themselves_up_to_what_an_address_may(write, alice, bob):
    assert [write(person).status_code for person in (alice, bob, alice)] == [302] * 3
    assert write(bob).status_code == 429
    assert bob.posts.count() == 1


def test_what_was_refused_for_the_address_leaves_the_person_their_share(write, alice, bob):
    assert [write(person).status_code for person in (alice, bob, alice, bob)] == [
        302,
        302,
        302,
        429,
    ]
    assert [write(bob, "Again", REMOTE_ADDR="192.0.2.9").status_code for _ in range(2)] == [
        302,
        429,
    ]


def test_what_was_refused_for_the_person_leaves_the_address_its_share(write, alice, bob):
    assert [write(alice).status_code for _ in range(4)] == [302, 302, 429, 429]
    assert write(bob).status_code == 302


def test_the_next_window_begins_anew(write, alice, monkeypatch):
    assert [write(alice).status_code for _ in range(3)] == [302, 302, 429]
    monkeypatch.setattr("blog.rate_limits.time.time", lambda: 3601.0)
    assert write(alice).status_code == 302


def test_a_button_pressed_too_often_gets_a_page(client, alice, bob):
    client.force_login(alice)
    for _ in range(2):
        client.post("/@bob/follow/")
    response = client.post("/@bob/unfollow/")
    assert response.status_code == 429
    assert "Please try again in 59 minutes." in response.content.decode()
    assert alice.following.count() == 1


def test_nobody_is_held_up_while_the_cache_is_away(write, alice, monkeypatch):
    monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", math.inf)
    assert [write(alice).status_code for _ in range(4)] == [302] * 4


@pytest.mark.parametrize("address", ["", "unix:", None])
def test_without_an_address_people_are_counted_each_for_themselves(
    write, alice, bob, client, address
):
    """As behind a proxy on a unix socket that names none."""
    for person in (alice, bob):
        assert [write(person, REMOTE_ADDR=address).status_code for _ in range(3)] == [302, 302, 429]
    client.logout()
    assert {client.get("/search/?q=x", REMOTE_ADDR=address).status_code for _ in range(5)} == {200}


def test_without_an_address_people_still_sign_in(client, alice):
    assert (
        client.post(
            "/accounts/login/", {"login": "alice", "password": PASSWORD}, REMOTE_ADDR=""
        ).url
        == "/"
    )
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_an_operator_can_turn_them_off(write, alice, settings):
    settings.RATE_LIMITS = False
    assert [write(alice).status_code for _ in range(4)] == [302] * 4
