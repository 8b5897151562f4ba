"""Guesses against a real site of two processes whose broker is frozen."""

import http.cookiejar
import os
import re
import signal
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import PASSWORD, database_url
from dev.stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

LOCKED = "Too many wrong passwords"
WRONG = "The name or the password is wrong."
PROCESSES = 2


@pytest.fixture
def site(transactional_db, tmp_path):
    variables = {"WEB_CONCURRENCY": str(PROCESSES)}
    with Stack(tmp_path, DATABASE_URL=database_url(), **variables) as stack:
        stack.start("broker", "site")
        yield stack
        os.kill(stack.children["broker"].pid, signal.SIGCONT)


def sign_in(site_url, password):
    """Sign in as alice with a new session, and return the final page."""
    cookies = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    url = f"{site_url}/accounts/login/"
    page = opener.open(url, timeout=20).read().decode()
    (token,) = set(re.findall('name="csrfmiddlewaretoken" value="(.+?)"', page))
    form = {"login": "alice", "password": password, "csrfmiddlewaretoken": token}
    try:
        response = opener.open(url, urllib.parse.urlencode(form).encode(), timeout=20)
    except urllib.error.HTTPError as error:
        response = error
    return response.read().decode()


def test_frozen_broker_does_not_lift_guess_limit(site, alice):
    os.kill(site.children["broker"].pid, signal.SIGSTOP)
    started = time.monotonic()
    answers = [sign_in(site.site_url, "wrong") for _ in range(25)]
    assert [LOCKED in answer for answer in answers] == [False] * 10 + [True] * 15
    assert time.monotonic() - started < 25
    assert LOCKED in sign_in(site.site_url, PASSWORD)


def test_concurrent_guesses_do_not_exceed_limit(site, alice):
    os.kill(site.children["broker"].pid, signal.SIGSTOP)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sign_in(site.site_url, "wrong"), range(32)))
    # The others are refused: by this limit, or by that of sign-ins from one address.
    assert 1 <= sum(WRONG in answer for answer in answers) <= 10
