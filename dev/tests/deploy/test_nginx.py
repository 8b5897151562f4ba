"""Site behind a real nginx over TLS, with the configuration of deploy/nginx."""

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

MAIN_CONFIG = """
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
    """nginx with the shipped configuration and the test's own ports, certificate and folders."""

    def __init__(self, folder: Path, var: Path) -> None:
        self.folder, self.var = folder / "nginx", var
        self.static = self.folder / "static"
        self.static.mkdir(parents=True)
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.socket = self.folder / "web.sock"
        self.certificate = self.folder / "fullchain.pem"
        create_certificate(self.certificate, self.folder / "privkey.pem")
        text = (ROOT / "deploy" / "nginx" / "microblog.conf").read_text()
        for shipped, replacement in {
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
            text = text.replace(shipped, replacement)
        (self.folder / "microblog.conf").write_text(text)
        user = "" if os.getuid() else "user root;"
        (self.folder / "nginx.conf").write_text(MAIN_CONFIG.format(folder=self.folder, user=user))

    def run(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *("nginx", "-e", "stderr", "-p", str(self.folder)),
                *("-c", str(self.folder / "nginx.conf"), *arguments),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )


def create_certificate(certificate: Path, key: Path) -> None:
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
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    certificate.write_bytes(signed.public_bytes(pem))
    key.write_bytes(private.private_bytes(pem, pkcs8, serialization.NoEncryption()))


@pytest.fixture
def nginx(tmp_path: Path, stack: Stack) -> Iterator[Nginx]:
    """Run nginx in front of the whole stack, with the site on a unix socket."""
    nginx = Nginx(tmp_path, stack.var)
    stack.env |= {
        "SECRET_KEY": settings.SECRET_KEY,  # signs the sessions that the test creates
        "SITE_URL": nginx.url,
        "ALLOWED_HOSTS": "localhost",
        "HTTPS": "true",
        "BEHIND_PROXY": "true",
        "EXPORT_ACCEL_PREFIX": "/archives",
    }
    site = [
        *(sys.executable, "-m", "gunicorn", "microblog.wsgi"),
        *("--bind", f"unix:{nginx.socket}", "--no-control-socket"),
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


def sign_in(nginx: Nginx, user: User) -> Account:
    """Return an account whose client trusts the test's certificate."""
    account = Account(user, nginx.url)
    trust(nginx, account.client.session)
    account.client.session.headers["Referer"] = f"{nginx.url}/"
    return account


def trust(nginx: Nginx, session: requests.Session) -> requests.Session:
    session.verify = str(nginx.certificate)
    session.trust_env = False  # ignore certificates and proxies of the environment
    return session


@pytest.fixture
def archive(nginx: Nginx, alice: User) -> ExportTask:
    """Finished export that Alice requested over TLS."""
    Post.objects.bulk_create(Post(author=alice, body=f"Post {number}") for number in range(500))
    task = ExportTask.objects.get(pk=sign_in(nginx, alice).request_export())

    def is_finished() -> bool:
        task.refresh_from_db()
        return task.status == Status.SUCCESSFUL

    wait_until(is_finished)
    return task


def test_configuration_is_valid(tmp_path):
    process = Nginx(tmp_path, tmp_path).run("-t")
    _, output = process.communicate()
    assert process.returncode == 0
    assert len(output.splitlines()) == 2, output
    assert "syntax is ok" in output
    assert "test is successful" in output


def test_owner_downloads_and_resumes_archive(nginx, archive, alice):
    session = sign_in(nginx, alice).client.session
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

    resume_headers = {"Range": "bytes=1000-", "If-Range": whole.headers["ETag"]}
    rest = session.get(url, headers=resume_headers, timeout=30)
    assert rest.status_code == 206
    size = len(whole.content)
    assert rest.headers["Content-Range"] == f"bytes 1000-{size - 1}/{size}"
    assert whole.content[:1000] + rest.content == whole.content


def test_archive_is_readable_by_group(nginx, archive):
    path = nginx.var / "archives" / archive.archive.name
    assert [oct(stat.S_IMODE(entry.stat().st_mode)) for entry in (path, path.parent)] == [
        "0o640",
        "0o750",
    ]


def test_archive_is_hidden_from_everyone_else(nginx, archive, bob, staff):
    url = f"{nginx.url}/exports/{archive.pk}/download/"
    for user in (bob, staff):
        assert sign_in(nginx, user).client.session.get(url, timeout=30).status_code == 404
    session = trust(nginx, requests.Session())
    assert (
        "/accounts/login/"
        in session.get(url, timeout=30, allow_redirects=False).headers["Location"]
    )
    assert (
        session.get(f"{nginx.url}/archives/{archive.archive.name}", timeout=30).status_code == 404
    )


class OtherAddressAdapter(HTTPAdapter):
    """Adapter that sends requests from another address of this machine."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=("127.0.0.2", 0))


def test_monitoring_urls_allow_this_machine_only(nginx):
    session = trust(nginx, requests.Session())
    assert "checks" in session.get(f"{nginx.url}/readyz", timeout=30).json()
    session.mount("https://", OtherAddressAdapter())
    statuses = [
        session.get(f"{nginx.url}{path}", timeout=30).status_code
        for path in ("/readyz", "/metrics", "/healthz")
    ]
    assert statuses == [403, 403, 200]


def test_request_id_of_client_is_replaced(nginx):
    session = trust(nginx, requests.Session())
    response = session.get(f"{nginx.url}/healthz", headers={"X-Request-ID": "mine"}, timeout=30)
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_static_files_and_redirect_to_https(nginx):
    (nginx.static / "a.css").write_text("body {}")
    session = trust(nginx, requests.Session())
    response = session.get(f"{nginx.url}/static/a.css", timeout=30)
    assert (response.status_code, response.text) == (200, "body {}")
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    plain = session.get(
        f"http://localhost:{nginx.plain_port}/about/?a=b", timeout=30, allow_redirects=False
    )
    assert (plain.status_code, plain.headers["Location"]) == (308, "https://localhost/about/?a=b")
