"""The site behind a real nginx, over TLS, with the configuration that is shipped."""

import datetime
import hashlib
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from requests.adapters import HTTPAdapter

from blog.models import Post, User
from conftest import wait_until
from dev.chaos.accounts import Account
from dev.stack import ROOT, Child, Stack, free_port
from exports.models import ExportTask, Status

pytestmark = [pytest.mark.integration, pytest.mark.sqlite, pytest.mark.needs("nginx")]

MAIN = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    types {{ text/css css; application/json json; }}
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/microblog.conf;
}}
"""


class Nginx:
    """The shipped configuration, with ports, certificate and folders of the test's own."""

    def __init__(self, folder: Path, var: Path) -> None:
        self.folder, self.var = folder / "nginx", var
        self.static = self.folder / "static"
        self.static.mkdir(parents=True)
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.socket = self.folder / "web.sock"
        self.certificate = self.folder / "fullchain.pem"
        certify(self.certificate, self.folder / "privkey.pem")
        text = (ROOT / "deploy" / "nginx" / "microblog.conf").read_text()
        for shipped, ours in {
            "listen 443": f"listen 127.0.0.1:{self.port}",
            "listen 80": f"listen 127.0.0.1:{self.plain_port}",
            "listen [::]:443": f"listen [::1]:{self.port}",
            "listen [::]:80": f"listen [::1]:{self.plain_port}",
            "server_name microblog.example": "server_name localhost",
            "/etc/letsencrypt/live/microblog.example": str(self.folder),
            "/run/microblog/web.sock": str(self.socket),
            "/srv/microblog/current/staticfiles": str(self.static),
            "/var/lib/microblog": str(var),
        }.items():
            assert shipped in text
            text = text.replace(shipped, ours)
        (self.folder / "microblog.conf").write_text(text)
        user = "" if os.getuid() else "user root;"
        (self.folder / "nginx.conf").write_text(MAIN.format(folder=self.folder, user=user))

    def run(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                "nginx",
                "-e",
                "stderr",
                "-p",
                str(self.folder),
                "-c",
                str(self.folder / "nginx.conf"),
                *arguments,
            ],
            stderr=subprocess.PIPE,
            text=True,
        )


def certify(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.fixture
def nginx(tmp_path: Path, stack: Stack) -> Iterator[Nginx]:
    """nginx, running, and behind it the whole stack, with the site on a unix socket."""
    nginx = Nginx(tmp_path, stack.var)
    stack.env |= {
        "SECRET_KEY": settings.SECRET_KEY,  # or the sessions that the test makes would be worth nothing
        "SITE_URL": nginx.url,
        "ALLOWED_HOSTS": "localhost",
        "HTTPS": "true",
        "BEHIND_PROXY": "true",
        "EXPORT_ACCEL_PREFIX": "/archives",
    }
    site = [
        sys.executable,
        "-m",
        "gunicorn",
        "microblog.wsgi",
        "--bind",
        f"unix:{nginx.socket}",
        "--no-control-socket",
    ]
    process = nginx.run()
    try:
        stack.start("broker", "mail", "worker", "sweeper")
        stack.children["site"] = Child("site", site, stack.env, stack.log_dir / "site.log")
        wait_until(lambda: nginx.socket.exists())
        yield nginx
    finally:
        process.terminate()
        process.communicate()


def visit(nginx: Nginx, user: User) -> Account:
    """A browser in which they are signed in, and which trusts the test's certificate."""
    account = Account(user, nginx.url)
    trust(nginx, account.person.session)
    account.person.session.headers["Referer"] = f"{nginx.url}/"
    return account


def trust(nginx: Nginx, session: requests.Session) -> requests.Session:
    session.verify = str(nginx.certificate)
    session.trust_env = False  # the environment may name other certificates, or a proxy
    return session


@pytest.fixture
def archive(nginx: Nginx, alice: User) -> ExportTask:
    """What alice asked for over TLS, and got."""
    Post.objects.bulk_create(Post(author=alice, body=f"Post {number}") for number in range(500))
    task = ExportTask.objects.get(pk=visit(nginx, alice).request_export())

    def is_finished() -> bool:
        task.refresh_from_db()
        return task.status == Status.SUCCESSFUL

    wait_until(is_finished)
    return task


def test_nginx_finds_nothing_wrong(tmp_path):
    process = Nginx(tmp_path, tmp_path).run("-t")
    _, said = process.communicate()
    assert process.returncode == 0
    assert len(said.splitlines()) == 2, said
    assert "syntax is ok" in said
    assert "test is successful" in said


def test_the_owner_downloads_an_archive_and_goes_on_where_it_broke_off(nginx, archive, alice):
    session = visit(nginx, alice).person.session
    url = f"{nginx.url}/exports/{archive.pk}/download/"

    whole = session.get(url, timeout=30)
    assert whole.status_code == 200
    assert hashlib.sha256(whole.content).hexdigest() == archive.archive_sha256
    assert whole.headers["Server"] == "nginx"
    assert whole.headers["Content-Type"] == "application/json"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="posts.json"'
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in whole.headers["Cache-Control"]
    assert "max-age" in whole.headers["Strict-Transport-Security"]
    assert "X-Accel-Redirect" not in whole.headers

    broken_at = {"Range": "bytes=1000-", "If-Range": whole.headers["ETag"]}
    rest = session.get(url, headers=broken_at, timeout=30)
    assert rest.status_code == 206
    assert (
        rest.headers["Content-Range"] == f"bytes 1000-{len(whole.content) - 1}/{len(whole.content)}"
    )
    assert whole.content[:1000] + rest.content == whole.content


def test_its_user_can_read_archives_as_a_member_of_the_sites_group(nginx, archive):
    path = nginx.var / "archives" / archive.archive.name
    assert [oct(stat.S_IMODE(entry.stat().st_mode)) for entry in (path, path.parent)] == [
        "0o640",
        "0o750",
    ]


def test_a_stranger_is_refused_and_nobody_comes_past_the_site(nginx, archive, bob, staff):
    url = f"{nginx.url}/exports/{archive.pk}/download/"
    for user in (bob, staff):
        assert visit(nginx, user).person.session.get(url, timeout=30).status_code == 404
    visitor = trust(nginx, requests.Session())
    assert (
        "/accounts/login/"
        in visitor.get(url, timeout=30, allow_redirects=False).headers["Location"]
    )
    assert (
        visitor.get(f"{nginx.url}/archives/{archive.archive.name}", timeout=30).status_code == 404
    )


class FromElsewhere(HTTPAdapter):
    """Asks from another address of this machine."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=("127.0.0.2", 0))


def test_what_watches_is_let_in_and_nobody_else_is(nginx):
    visitor = trust(nginx, requests.Session())
    assert "checks" in visitor.get(f"{nginx.url}/readyz", timeout=30).json()
    visitor.mount("https://", FromElsewhere())
    statuses = [
        visitor.get(f"{nginx.url}{path}", timeout=30).status_code
        for path in ("/readyz", "/metrics", "/healthz")
    ]
    assert statuses == [403, 403, 200]


def test_nobody_names_a_request_but_nginx(nginx):
    visitor = trust(nginx, requests.Session())
    answer = visitor.get(f"{nginx.url}/healthz", headers={"X-Request-ID": "mine"}, timeout=30)
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_static_files_are_nginxs_and_plain_http_leads_to_tls(nginx):
    (nginx.static / "a.css").write_text("body {}")
    visitor = trust(nginx, requests.Session())
    answer = visitor.get(f"{nginx.url}/static/a.css", timeout=30)
    assert (answer.status_code, answer.text) == (200, "body {}")
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    plain = visitor.get(
        f"http://localhost:{nginx.plain_port}/about/?a=b", timeout=30, allow_redirects=False
    )
    assert (plain.status_code, plain.headers["Location"]) == (308, "https://localhost/about/?a=b")
