"""Guesses of passwords and codes while a real Valkey is frozen (SIGSTOP)."""

import signal
import subprocess
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.utils import timezone

from blog.accounts import sessions
from blog.accounts.allauth_internals import TOTP, generate_totp_secret
from blog.models import GuessRecord
from blog.tests.accounts.test_mfa import current_code
from conftest import PASSWORD
from dev import broker
from microblog.cache import FailOpenRedisCache

pytestmark = [pytest.mark.django_db]

LOCKED = "Too many wrong passwords"
MAX_SECONDS = 3


class CacheServer:
    """A real Valkey that serves this test's cache alone."""

    def __init__(self, folder):
        self.socket = broker.socket_path(folder)
        self.url = f"unix://{self.socket}?socket_timeout=1&socket_connect_timeout=1"
        self.process = subprocess.Popen(
            broker.server_command(self.socket, folder), stdout=subprocess.DEVNULL
        )
        broker.wait_until_ready(self.url)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        FailOpenRedisCache.unavailable_until = 0.0

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def cache_server(tmp_path, monkeypatch):
    server = CacheServer(tmp_path)
    backend: Any = caches["default"]
    monkeypatch.setattr(backend._cache, "_servers", [server.url])
    monkeypatch.setattr(backend._cache, "_pools", {})
    monkeypatch.setattr(FailOpenRedisCache, "unavailable_until", 0.0)
    yield server
    server.stop()


@pytest.fixture
def frozen_cache(cache_server):
    cache_server.freeze()
    return cache_server


@pytest.fixture
def sign_in(client):
    def post(password="wrong", login="alice", address="192.0.2.1"):
        return client.post(
            "/accounts/login/", {"login": login, "password": password}, REMOTE_ADDR=address
        )

    return post


def test_ten_failed_logins_lock_with_frozen_cache(sign_in, alice, frozen_cache):
    answers = [sign_in().content.decode() for _ in range(25)]
    assert [LOCKED in answer for answer in answers] == [False] * 10 + [True] * 15
    assert LOCKED in sign_in(PASSWORD).content.decode()
    assert sign_in(PASSWORD, address="192.0.2.2").status_code == 302


def test_ten_failed_logins_lock_with_stopped_cache(sign_in, alice, cache_server):
    cache_server.stop()
    for _ in range(10):
        assert LOCKED not in sign_in().content.decode()
    assert LOCKED in sign_in(PASSWORD).content.decode()


def test_logins_from_many_addresses_lock_with_frozen_cache(sign_in, alice, frozen_cache, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"account_guessed": "12/15m/key"}
    for number in range(12):
        assert LOCKED not in sign_in(address=f"198.51.100.{number}").content.decode()
    assert LOCKED in sign_in(address="203.0.113.1").content.decode()


def test_sign_in_with_frozen_cache_is_quick(sign_in, alice, client, frozen_cache):
    durations = []
    for _ in range(5):
        started = time.monotonic()
        assert sign_in(PASSWORD).status_code == 302
        durations.append(time.monotonic() - started)
        client.logout()
    assert max(durations) < MAX_SECONDS
    assert max(durations[1:]) < 1  # only the first waits for the server
    assert LOCKED not in sign_in().content.decode()  # successes do not count


def test_lock_survives_thaw_and_second_freeze(sign_in, alice, frozen_cache):
    for _ in range(10):
        sign_in()
    frozen_cache.thaw()
    assert LOCKED not in sign_in().content.decode()  # Redis counts apart
    frozen_cache.freeze()
    assert LOCKED in sign_in().content.decode()


def test_password_resets_are_limited_with_frozen_cache(client, frozen_cache):
    statuses = [
        client.post("/accounts/password/reset/", {"email": "x@microblog.example"}).status_code
        for _ in range(8)
    ]
    assert statuses == [302] * 5 + [429] * 3


def test_reauthentication_is_limited_with_frozen_cache(reauthenticated_client, frozen_cache):
    answers = [
        reauthenticated_client.post("/accounts/reauthenticate/", {"password": "wrong"})
        for _ in range(15)
    ]
    limited = [answer.status_code == 429 or LOCKED in answer.content.decode() for answer in answers]
    assert limited == [False] * 10 + [True] * 5


@pytest.fixture
def totp_secret(alice):
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    return secret


def test_codes_are_limited_with_frozen_cache(totp_secret, frozen_cache, client):
    response = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    answers = [client.post(response.url, {"code": f"{n:06}"}) for n in range(15)]
    limited = [LOCKED in answer.content.decode() for answer in answers]
    assert limited == [False] * 10 + [True] * 5


def test_used_code_is_refused_with_frozen_cache(totp_secret, frozen_cache, client):
    statuses = []
    for _ in range(2):
        client.logout()
        response = client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
        code = current_code(totp_secret)
        statuses.append(client.post(response.url, {"code": code}).status_code)
    assert statuses == [302, 200]


def test_guess_records_hold_no_address_or_name(sign_in, alice, frozen_cache):
    sign_in(address="192.0.2.77")
    records = [f"{record.digest} {record.value}" for record in GuessRecord.objects.all()]
    assert len(records) >= 3
    assert not [text for text in records if "192.0.2" in text or "alice" in text]


def test_expired_guess_records_are_deleted(sign_in, alice, frozen_cache):
    for _ in range(10):
        sign_in()
    long_ago = timezone.now() - timedelta(seconds=1)
    GuessRecord.objects.update(expires_at=long_ago)
    assert LOCKED not in sign_in().content.decode()
    assert not GuessRecord.objects.expired().exists()
    GuessRecord.objects.update(expires_at=long_ago)
    sessions.delete_expired()
    assert not GuessRecord.objects.exists()
