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


def test_script_name_header_does_not_move_the_site(tmp_path):
    with Stack(tmp_path) as stack:
        stack.start("broker", "site")
        answer = requests.get(
            f"{stack.site_url}/exports/",
            headers={"SCRIPT_NAME": "/exports", "PATH_INFO": "/admin/"},
            allow_redirects=False,
            timeout=30,
        )
    assert answer.headers["Location"] == "/accounts/login/?next=/exports/"
