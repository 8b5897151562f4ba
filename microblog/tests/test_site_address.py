"""SITE_URL and the Host, Origin and SCRIPT_NAME headers of real requests."""

import os
import subprocess
import sys

import pytest
import requests

from dev.stack import ROOT, Stack

pytestmark = [pytest.mark.sqlite, pytest.mark.integration]

# Asks for a page and submits its form as a browser does, with the given Host and Origin.
REQUESTS = """
import sys, django
django.setup()
from django.test import Client
host, origin = sys.argv[1:]
browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
page = browser.get("/accounts/login/", headers={"host": host})
token = page.content.decode().partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
answer = browser.post("/language/", {"language": "es", "csrfmiddlewaretoken": token},
                      headers={"host": host, "origin": origin})
print(page.status_code, answer.status_code)
"""


@pytest.mark.parametrize(
    ("url", "host", "origin"),
    [
        ("http://localhost:8000", "localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000", "http://[::1]:8000"),
        ("http://bücher.example", "xn--bcher-kva.example", "http://xn--bcher-kva.example"),
        ("http://Microblog.Example:80/", "microblog.example", "http://microblog.example"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_pages_and_forms_work_at_every_address(url, host, origin):
    env = {name: text for name, text in os.environ.items() if name != "ALLOWED_HOSTS"}
    done = subprocess.run(
        [sys.executable, "-c", REQUESTS, host, origin],
        cwd=ROOT,
        env=env | {"SITE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["200", "302"]


@pytest.fixture(scope="module")
def site_url(tmp_path_factory):
    """Start gunicorn without a proxy, where each header comes from the client itself."""
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        stack.start("broker", "site")
        yield stack.site_url


@pytest.mark.parametrize(
    "headers",
    [
        {"SCRIPT_NAME": "/exports", "PATH_INFO": "/admin/"},
        {"Script-Name": "/exports", "Path-Info": "/admin/"},
        {"REMOTE_USER": "alice", "REMOTE_ADDR": "127.0.0.9"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Protocol": "ssl"},
        {"X-Forwarded-Ssl": "on"},
        {"X-Forwarded-Proto": "http", "X-Forwarded-Ssl": "on"},  # contradictory
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "8443"},
        {"X-Forwarded-Prefix": "/exports", "X-Script-Name": "/exports"},
        {"X-Original-URL": "/admin/", "X-Rewrite-URL": "/admin/"},
        {"X-HTTP-Method-Override": "DELETE"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_headers_of_client_change_nothing(site_url, headers):
    answer = requests.get(
        f"{site_url}/exports/", headers=headers, allow_redirects=False, timeout=30
    )
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/accounts/login/?next=/exports/"
    assert "Strict-Transport-Security" not in answer.headers
