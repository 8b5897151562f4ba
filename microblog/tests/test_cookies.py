"""Cookies of two sites on one host, which browsers send to all of its ports."""

import os
import subprocess
import sys

import pytest
import requests
from django.contrib.auth.hashers import make_password

from blog.models import User
from conftest import PASSWORD
from dev.site_client import SiteClient
from dev.stack import ROOT, Stack

NAMES = """
import django
django.setup()
from django.conf import settings
from microblog.storage import MessageStorage
print(settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME,
      MessageStorage.storage_classes[0].cookie_name)
"""


@pytest.mark.sqlite
@pytest.mark.integration
@pytest.mark.parametrize(
    ("url", "https", "pattern"),
    [
        ("http://localhost", "false", "{}"),
        ("http://localhost:8000", "false", "{}_8000"),
        ("http://localhost:8001", "false", "{}_8001"),
        ("https://microblog.example", "true", "__Host-{}"),
        ("https://microblog.example:8443", "true", "__Host-{}_8443"),
    ],
)
def test_cookie_names_depend_on_port_and_scheme(url, https, pattern):
    printed = subprocess.run(
        [sys.executable, "-c", NAMES],
        cwd=ROOT,
        env=os.environ | {"SITE_URL": url, "HTTPS": https},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = ("sessionid", "csrftoken", "django_language", "messages")
    assert printed.split() == [pattern.format(name) for name in names]


@pytest.mark.integration
def test_sign_in_at_one_site_keeps_the_other(stack: Stack, alice: User, tmp_path):
    alice.password = make_password(PASSWORD, hasher="argon2")
    alice.save()
    database = {"DATABASE_URL": stack.env["DATABASE_URL"]}
    with Stack(tmp_path / "other", **database) as other, requests.Session() as browser:
        clients = [SiteClient(site.site_url) for site in (stack, other)]
        for site, client in zip((stack, other), clients, strict=True):
            site.start("broker", "site")
            client.session = browser
            client.sign_in("alice", PASSWORD)
        for client in clients:
            assert client.get("/exports/").url == f"{client.site_url}/exports/"
