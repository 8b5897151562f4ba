"""Logs, metrics, error reports and bounces of real processes."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import brotli
import pytest
import redis
import requests
from django.contrib.auth.hashers import make_password
from prometheus_client.parser import text_string_to_metric_families
from rq import Queue
from rq.serializers import JSONSerializer

from blog.models import Post, User
from conftest import PASSWORD, wait_until
from dev.site_client import SiteClient
from dev.stack import Stack
from exports.models import ExportMail, ExportTask, MailStatus

pytestmark = [pytest.mark.integration, pytest.mark.sqlite]

TOKEN = "a-token-of-some-length"
SECRET = "postmark:a-secret-of-some-length"
ADMIN = "admin@microblog.example"
DECOMPRESS: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
}


class Listener:
    """Web server that records requests (path and body) and gives each the same answer."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.requests: list[tuple[str, bytes]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                decompress = DECOMPRESS[self.headers["Content-Encoding"]]
                listener.requests.append((self.path, decompress(body)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    listeners = []

    def listen(**answer: Any) -> Listener:
        listeners.append(Listener(answer))
        return listeners[-1]

    yield listen
    for listener in listeners:
        listener.close()


@pytest.fixture
def alice(transactional_db: None, make_user: Callable[..., User]) -> User:
    """Create a user with a post and a password hash that the site's processes accept."""
    alice = make_user("alice")
    alice.password = make_password(PASSWORD, hasher="argon2")
    alice.save(update_fields=["password"])
    Post.objects.create(author=alice, body="Hello")
    return alice


def log_lines(stack: Stack, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (stack.log_dir / f"{name}.log").read_text().splitlines()]


def is_export_mail_sent() -> bool:
    return ExportMail.objects.filter(status=MailStatus.SENT).exists()


def test_request_id_connects_click_job_and_mail(stack, alice):
    stack.env |= {"LOG_FORMAT": "json", "BEHIND_PROXY": "true", "WEB_CONCURRENCY": "2"}
    stack.start()
    with SiteClient(stack.site_url) as person:
        person.sign_in("alice", PASSWORD)
        person.session.headers["X-Request-ID"] = "the-click"
        person.request_export("alice")

    mail = stack.mailbox.wait(alice.email, seconds=60)
    wait_until(is_export_mail_sent)
    assert mail.message["X-Request-ID"] == "the-click"

    def job_lines() -> list[dict[str, Any]]:
        return [line for line in log_lines(stack, "worker") if "Job OK" in line["message"]]

    wait_until(job_lines)
    assert {line["request_id"] for line in job_lines()} == {"the-click"}
    clicks = [
        line
        for line in log_lines(stack, "site")
        if line["request_id"] == "the-click" and "route" in line
    ]
    assert ("POST", "/exports/", 302) in {
        (line["method"], line["route"], line["status"]) for line in clicks
    }
    assert any("Sweeper started" in line["message"] for line in log_lines(stack, "sweeper"))
    assert sum("Booting worker" in line["message"] for line in log_lines(stack, "site")) == 2
    stack.children["site"].stop()
    assert any("Worker exiting" in line["message"] for line in log_lines(stack, "site"))


def test_metrics_and_readiness_cover_all_processes(stack, alice):
    stack.env |= {"METRICS_TOKEN": TOKEN, "WEB_CONCURRENCY": "2"}
    stack.start()
    wait_until(lambda: requests.get(f"{stack.site_url}/readyz", timeout=10).status_code == 200)
    for _ in range(40):
        assert requests.get(f"{stack.site_url}/explore/", timeout=10).status_code == 200
    for _ in range(3):  # any of the two workers answers
        metrics = requests.get(
            f"{stack.site_url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        )
        samples = [
            sample
            for family in text_string_to_metric_families(metrics.text)
            for sample in family.samples
        ]
        [requests_total] = [
            sample.value
            for sample in samples
            if sample.labels == {"view": "explore", "method": "GET", "status": "200"}
        ]
        assert requests_total == 40
        assert [sample.value for sample in samples if sample.name == "microblog_workers"] == [1]

    stack.kill("worker")
    stack.stop("broker")
    answer = requests.get(f"{stack.site_url}/readyz", timeout=10)
    assert answer.status_code == 503
    failed = [name for name, check in answer.json()["checks"].items() if not check["ok"]]
    assert failed == ["broker", "worker"]
    assert requests.get(f"{stack.site_url}/healthz", timeout=10).status_code == 200


def events(sentry: Listener) -> list[dict[str, Any]]:
    """Return the events in all envelopes.

    An envelope is lines of JSON: each header with a `type` describes the line after it.
    """
    found = []
    for _, body in sentry.requests:
        items = [json.loads(line) for line in body.splitlines()]
        found += [item for header, item in pairwise(items) if header.get("type") == "event"]
    return found


def test_errors_reach_admins_once_and_sentry(stack, alice, listen):
    sentry = listen()
    stack.env |= {
        "DJANGO_SETTINGS_MODULE": "microblog.tests.faulty_settings",
        "ADMINS": ADMIN,
        "SENTRY_DSN": f"http://key@{sentry.address}/1",
        "SENTRY_RELEASE": "2026.11",
    }
    stack.start()
    with SiteClient(stack.site_url) as person:
        person.sign_in("alice", PASSWORD)
        session_id = person.session.cookies[f"sessionid_{urlsplit(stack.site_url).port}"]
        for _ in range(10):
            answer = person.session.get(f"{stack.site_url}/fail/?token=very-secret", timeout=30)
            assert answer.status_code == 500
    with redis.Redis(unix_socket_path=str(stack.socket)) as connection:
        for _ in range(3):
            Queue("default", connection=connection, serializer=JSONSerializer).enqueue(
                "tasks.jobs.run_task", "without the other arguments"
            )

    def error_types() -> set[str]:
        return {error["type"] for event in events(sentry) for error in event["exception"]["values"]}

    wait_until(lambda: {"RuntimeError", "TypeError"} <= error_types())
    web = next(event for event in events(sentry) if "request" in event)
    assert web["release"] == "2026.11"
    assert web["tags"]["request_id"]
    sent = json.dumps(events(sentry))
    assert session_id
    for secret in ("very-secret", session_id, "alice", PASSWORD):
        assert secret not in sent

    def subjects() -> list[str]:
        return sorted(mail.message["Subject"] for mail in stack.mailbox.mails(ADMIN))

    wait_until(lambda: len(subjects()) == 2)
    wait_until(
        lambda: (stack.log_dir / "worker.log").read_text().count("TypeError: run_task() miss") == 3
    )
    assert subjects()[0] == "[Microblog] ERROR: Internal Server Error: /fail/"
    assert len(subjects()) == 2
    assert "very-secret" not in "".join(path.read_text() for path in stack.log_dir.glob("*.log"))


def test_provider_sends_mail_and_reports_bounce(stack, alice, listen):
    """Configure Postmark by environment variables, with a fake of its API."""
    postmark = listen(ErrorCode=0, Message="OK", MessageID="the-providers-id", To=alice.email)
    stack.env |= {
        "EMAIL_BACKEND": "anymail.backends.postmark.EmailBackend",
        "ANYMAIL_POSTMARK_SERVER_TOKEN": "0123456789",
        "ANYMAIL_POSTMARK_API_URL": f"http://{postmark.address}/",
        "ANYMAIL_WEBHOOK_SECRET": SECRET,
    }
    stack.start("broker", "worker", "sweeper", "site")
    with SiteClient(stack.site_url) as person:
        person.sign_in("alice", PASSWORD)
        task = ExportTask.objects.get(pk=person.request_export("alice"))
        wait_until(is_export_mail_sent)
        [mail] = [json.loads(body) for path, body in postmark.requests if path == "/email"]
        assert mail["To"] == alice.email
        assert [file["Name"] for file in mail["Attachments"]] == ["posts.json"]
        assert (
            json.loads(base64.b64decode(mail["Attachments"][0]["Content"]))["posts"][0]["body"]
            == "Hello"
        )

        bounce = {
            "RecordType": "Bounce",
            "Type": "HardBounce",
            "MessageID": "the-providers-id",
            "Details": "550 unknown",
        }
        address = f"{stack.site_url}/anymail/postmark/tracking/"
        assert requests.post(address, json=bounce, timeout=10).status_code == 400
        assert (
            requests.post(
                address, json=bounce, auth=tuple(SECRET.split(":")), timeout=10
            ).status_code
            == 200
        )
        assert (
            "Your mail provider refused the mail: download it here"
            in person.get(f"/exports/{task.pk}/").text
        )
