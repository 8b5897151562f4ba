"""Values of the cache: JSON only, and whatever else is in Redis counts as missing."""

import pickle
import time
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.urls import path

from blog import rate_limits
from blog.rate_limits import Rate
from conftest import PASSWORD
from microblog.cache import JSONSerializer

pytestmark = pytest.mark.sqlite

HOUR = 3600


class CreatesFile:
    """Object whose unpickling creates a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture
def client_of_redis():
    backend: Any = caches["default"]
    return backend._cache.get_client()


@pytest.fixture
def bomb(tmp_path):
    """Return a pickle, and a function that tells whether it was opened."""
    created = tmp_path / "created-by-pickle"
    return pickle.dumps(CreatesFile(created)), created.exists


def overwrite_all(redis, data):
    """Replace every value in the cache with `data`, and return how many there were."""
    keys = redis.keys("*")
    for key in keys:
        redis.set(key, data)
    return len(keys)


INVALID = [
    b"",
    b"{}",
    b'{"a": 1}',
    b"null",
    b"1.5",
    b'["1"]',
    b"[[1]]",
    b"[true]",
    b"[NaN]",
    b"[1e999]",
    b"\xff\xfe",
    b"[" * 100_000,
    b"9" * 5_000,
    pickle.dumps([1.5]),
    pickle.dumps(True),
]


@pytest.mark.parametrize("value", [0, -7, 2**62, True, False, "y", [], [1.5, 2], [time.time()]])
def test_cache_returns_stored_value(value):
    cache.set("key", value)
    stored = cache.get("key")
    assert (stored, type(stored)) == (value, type(value))


@pytest.mark.parametrize("value", [None, 1.5, {}, {"a": 1}, ["a"], [[1]], (1,), object(), b"1"])
def test_storing_another_type_is_an_error(value):
    with pytest.raises(TypeError, match="cannot store"):
        cache.set("key", value)


@pytest.mark.parametrize("data", INVALID)
def test_invalid_value_counts_as_missing(client_of_redis, data, caplog):
    key = cache.make_key("key")
    client_of_redis.set(key, data)
    assert cache.get("key", [0]) == [0]
    assert client_of_redis.get(key) is None
    assert "key is not valid" in caplog.text
    client_of_redis.set(key, data)
    assert cache.get_many(["key"]) == {}
    client_of_redis.set(key, data)
    assert cache.add("key", 1)
    assert cache.get("key") == 1


@pytest.mark.parametrize("data", [*INVALID, b"true", b"[1.5]", b'"y"', b"9223372036854775807"])
def test_invalid_counter_starts_again(client_of_redis, data):
    client_of_redis.set(cache.make_key("counter"), data)
    with pytest.raises(ValueError, match="counter"):
        cache.incr("counter")
    assert cache.add("counter", 0)
    assert cache.incr("counter") == 1


def test_redis_list_counts_as_missing_value(client_of_redis):
    key = cache.make_key("key")
    for use in (cache.get, lambda name: cache.add(name, 1)):
        client_of_redis.delete(key)
        client_of_redis.rpush(key, "1")
        use("key")
        assert client_of_redis.type(key) != b"list"
    assert cache.get("other") is None  # the server still counts as available


def test_list_is_expected_where_default_is_list(client_of_redis):
    for wrong in (5, True, "y"):
        cache.set("key", wrong)
        assert cache.get("key", []) == []


def test_serializer_reads_no_pickle(bomb):
    data, was_opened = bomb
    with pytest.raises(ValueError, match=r"."):
        JSONSerializer().loads(data)
    assert not was_opened()


@pytest.mark.django_db
def test_pickle_in_rate_limit_key_is_harmless(client, settings, monkeypatch, client_of_redis, bomb):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "search", Rate(9, 2, HOUR))
    data, was_opened = bomb
    statuses = []
    for number in range(6):
        statuses.append(client.get("/search/?q=owl").status_code)
        if number == 2:
            assert overwrite_all(client_of_redis, data) == 1
    assert statuses == [200, 200, 429, 200, 200, 429]
    assert not was_opened()


@pytest.mark.django_db
def test_pickle_in_guess_keys_is_harmless(client, alice, client_of_redis, bomb):
    data, was_opened = bomb

    def sign_in(password):
        return client.post("/accounts/login/", {"login": "alice", "password": password})

    for _ in range(11):
        answer = sign_in("wrong").content.decode()
    assert "Too many wrong passwords" in answer
    assert overwrite_all(client_of_redis, data) >= 3
    assert "Too many wrong passwords" not in sign_in("wrong").content.decode()
    for key in client_of_redis.keys("*"):
        client_of_redis.set(key + b":lock", data)
    assert sign_in(PASSWORD).status_code == 302
    assert not was_opened()


def fail(request):
    raise RuntimeError("broken on purpose")


urlpatterns = [path("fail/", fail)]


@pytest.mark.django_db
def test_pickle_in_error_mail_keys_is_harmless(
    client, settings, client_of_redis, bomb, mailoutbox, empty_broker
):
    settings.ADMINS, settings.ROOT_URLCONF = [("", "admin@microblog.example")], __name__
    client.raise_request_exception = False
    data, was_opened = bomb
    for _ in range(3):
        assert client.get("/fail/").status_code == 500
    assert len(mailoutbox) == 1
    assert overwrite_all(client_of_redis, data) == 2
    assert client.get("/fail/").status_code == 500
    assert len(mailoutbox) == 2  # the pause counts as over
    assert not was_opened()


def test_process_cache_is_in_memory_of_process():
    assert type(caches["process"]).__module__ == "django.core.cache.backends.locmem"
