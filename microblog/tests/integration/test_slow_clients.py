"""Clients of gunicorn, without nginx, that are slow, stall, or hang up."""

import socket
import struct
from base64 import b64encode
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from blog.models import ApiToken
from conftest import wait_until
from dev.chaos.accounts import Account
from dev.stack import Stack
from exports.models import Event, ExportTask, Status
from tasks.models.clock import from_now

pytestmark = [pytest.mark.integration, pytest.mark.sqlite]

ARCHIVE_BYTES = 64 << 20  # more than the kernel buffers for a client that does not read
WEBHOOK_SECRET = "postmark:a-secret-of-some-length"
WEBHOOK_AUTHORIZATION = f"Basic {b64encode(WEBHOOK_SECRET.encode()).decode()}"
TRANSFERS = 2  # half of the four threads of the stack


@pytest.fixture
def site(stack: Stack) -> Stack:
    stack.env |= {
        "SECRET_KEY": settings.SECRET_KEY,
        "EMAIL_BACKEND": "anymail.backends.postmark.EmailBackend",
        "ANYMAIL_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }
    stack.start("broker", "site")
    return stack


@pytest.fixture
def large_archive(site, alice):
    task = ExportTask.objects.request(alice)[0]
    path = site.var / "archives" / "posts" / "large.zip"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(ARCHIVE_BYTES)
    ExportTask.objects.update(
        status=Status.SUCCESSFUL,
        archive="posts/large.zip",
        archive_bytes=ARCHIVE_BYTES,
        finished_at=from_now(0),
        archive_expires_at=from_now(3600),
    )
    return task


def address_of(site):
    parts = urlsplit(site.site_url)
    return parts.hostname, parts.port


def send(site, head, body=b""):
    """Send a request, and return its socket; the response is not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30)
    client.connect(address_of(site))
    host, port = address_of(site)
    client.sendall(f"{head}\r\nHost: {host}:{port}\r\n\r\n".encode() + body)
    return client


def start_download(site, account, path):
    client = send(site, f"GET {path} HTTP/1.1\r\nCookie: {account.cookie}")
    assert client.recv(15).startswith(b"HTTP/1.1 200")
    return client


def start_upload(site, account):
    head = (
        f"POST /imports/ HTTP/1.1\r\nCookie: {account.cookie}\r\nContent-Length: 100000\r\n"
        "Content-Type: multipart/form-data; boundary=x"
    )
    return send(site, head, b"--x\r\n")


def get(site, path, **headers):
    """Return status, headers and body; fail after ten seconds."""
    with closing(HTTPConnection(urlsplit(site.site_url).netloc, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode(errors="replace")


def test_slow_transfers_do_not_stop_the_site(site, large_archive, alice):
    account = Account(alice, site.site_url)
    cookie = {"Cookie": account.cookie}
    path = f"/exports/{large_archive.pk}/download/"
    token = ApiToken.objects.issue(alice, "A program", False)[1]
    api = {"Authorization": f"Bearer {token}"}

    with ExitStack() as clients:
        for _ in range(TRANSFERS):
            clients.enter_context(start_download(site, account, path))
        for _ in range(2 * TRANSFERS):
            status, headers, page = get(site, path, **cookie)
            assert (status, headers["Retry-After"]) == (503, "60")
            assert "Many archives are being downloaded right now." in page
        status, headers, problem = get(site, f"/api/v1{path}", **api)
        assert (status, headers["Retry-After"]) == (503, "60")
        assert "Many archives are being downloaded" in problem
        assert get(site, "/healthz")[0] == 200
        assert get(site, "/", **cookie)[0] == 200
        assert large_archive.events.filter(kind=Event.DOWNLOADED).count() == 1

    # The slots of clients that have hung up are free again.
    wait_until(lambda: get(site, path, **cookie)[0] == 200, seconds=20)

    with ExitStack() as clients:
        for _ in range(TRANSFERS):
            clients.enter_context(start_upload(site, account))
        wait_until(lambda: get(site, path, **cookie)[0] == 503, seconds=20)
        assert get(site, "/healthz")[0] == 200
        assert get(site, "/imports/", **cookie)[0] == 200
    wait_until(lambda: get(site, path, **cookie)[0] == 200, seconds=20)


def test_client_that_hangs_up_is_no_error(site, alice):
    account = Account(alice, site.site_url)
    token = ApiToken.objects.issue(alice, "A program", False)[1]
    bodies = {
        "/posts/": ("application/x-www-form-urlencoded", b"body=Hel"),
        "/accounts/login/": ("application/x-www-form-urlencoded", b"login=al"),
        "/imports/": ("multipart/form-data; boundary=x", b"--x\r\n"),
        "/api/v1/posts/": ("application/json", b'{"body": "Hel'),
        "/api/v1/imports/": ("multipart/form-data; boundary=x", b"--x\r\n"),
        "/api/v1/exports/": ("application/json", b""),
        "/anymail/postmark/tracking/": ("application/json", b"{"),
    }
    for path, (content_type, body) in bodies.items():
        authorization = f"Bearer {token}" if path.startswith("/api/") else WEBHOOK_AUTHORIZATION
        for is_reset in (False, True):
            client = send(
                site,
                f"POST {path} HTTP/1.1\r\nCookie: {account.cookie}\r\nContent-Length: 5000\r\n"
                f"Authorization: {authorization}\r\nContent-Type: {content_type}\r\n"
                "Expect: 100-continue",
                body,
            )
            assert client.recv(12) == b"HTTP/1.1 100"  # the site has read the headers
            if is_reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
    log = site.children["site"].log
    wait_until(lambda: log.read_text().count(" POST /") >= 2 * len(bodies))
    text = log.read_text()
    assert " ERROR " not in text
    assert "Traceback" not in text
