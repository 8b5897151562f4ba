"""Shared fixtures: users, clients, mails, a running stack and a browser."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import django_rq
import hypothesis
import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.cache import caches
from django.core.files.base import ContentFile
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.test import Client
from django.utils import timezone, translation
from prometheus_client.parser import text_string_to_metric_families
from rq import SimpleWorker
from rq.job import Job

from blog import rate_limits
from blog.accounts.deletion import request_deletion
from blog.models import Conversation, Message, Post, User
from dev.pytest_plugin import chromium
from dev.stack import Stack
from exports.models import ExportTask, Status
from microblog import request_ids
from microblog.addresses import sqlite_url
from tasks import jobs
from tasks.models import Task
from tasks.models.clock import from_now
from tasks.worker import Worker

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSWORD = "a walk beside the river"
METRICS_TOKEN = "a-token-of-some-length"

# "quick" runs the same examples each time. "thorough" (HYPOTHESIS_PROFILE) runs 20 times as many
# random ones and shrinks each failing example.
hypothesis.settings.register_profile(
    "quick",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.register_profile(
    "thorough",
    parent=hypothesis.settings.get_profile("quick"),
    max_examples=2000,
    derandomize=False,
    phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def wait_until(condition: Callable[[], object], seconds: float = 90) -> None:
    """Poll until another thread or process makes the condition true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # there is no event to wait for


@pytest.fixture(autouse=True)
def reset_thread_state() -> Iterator[None]:
    """Clear the language and the request id that a request leaves in this thread."""
    yield
    translation.deactivate()
    request_ids.deactivate()


@pytest.fixture(autouse=True)
def reset_rate_limits(empty_broker: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock of rate limits, so that no window ends during a test.

    Primary keys, and so the counters' keys in the cache, repeat; `empty_broker` deletes them.
    """
    caches["process"].clear()
    monkeypatch.setattr(rate_limits, "time", SimpleNamespace(time=lambda: 60.0))


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Create a user with a confirmed e-mail address and the password PASSWORD."""

    def make(username: str, **fields: object) -> User:
        user = User.objects.create_user(
            username, f"{username}@microblog.example", PASSWORD, **fields
        )
        user.confirm_email()
        return user

    return make


@pytest.fixture
def alice(make_user: Callable[..., User]) -> User:
    """Create the user who owns the objects of a test."""
    return make_user("alice")


@pytest.fixture
def bob(make_user: Callable[..., User]) -> User:
    """Create a user who owns nothing."""
    return make_user("bob")


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    """Sign alice in to the test client."""
    client.force_login(alice)
    return client


@pytest.fixture
def send_message(db: None) -> Callable[..., Message]:
    """Send a message in the conversation of two users."""

    def send(sender: User, recipient: User, body: str = "Hello") -> Message:
        message = Conversation.objects.get_or_create_between(sender, recipient).add_message(
            sender, recipient, body
        )
        assert message is not None
        return message

    return send


@pytest.fixture
def staff(make_user: Callable[..., User]) -> User:
    """Create a superuser."""
    return make_user("staff", is_staff=True, is_superuser=True)


@pytest.fixture
def worker() -> Worker:
    """Register an idle worker with RQ."""
    queue = django_rq.get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()  # type: ignore[no-untyped-call]  # untyped in rq
    worker.heartbeat()
    return worker


@pytest.fixture
def start_job(worker: Worker) -> Callable[[Task], None]:
    """Enqueue a task's job and let the worker start it."""

    def start(task: Task) -> None:
        queue = django_rq.get_queue("default")
        jobs.enqueue_task(task)
        queue.connection.lrem(queue.key, 0, task.job_id)
        worker.prepare_execution(
            Job.fetch(task.job_id, queue.connection, serializer=queue.serializer)
        )

    return start


@pytest.fixture
def make_staff(make_user: Callable[..., User]) -> Callable[[str], User]:
    """Create a member of staff with the given role.

    Transactional tests flush the database, so the roles are created here again by the functions
    of the migrations.
    """

    def make(role: str) -> User:
        import_module("exports.migrations.0005_roles").make_roles(apps, None)
        import_module("exports.migrations.0008_mail_roles").add_permissions(apps, None)
        user = make_user(role.lower(), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return user

    return make


@pytest.fixture
def support(make_staff: Callable[[str], User]) -> User:
    """Create a member of staff who may view, cancel, and send mails again."""
    return make_staff("Support")


@pytest.fixture
def operator(make_staff: Callable[[str], User]) -> User:
    """Create a member of staff who may perform every action on tasks."""
    return make_staff("Operators")


@pytest.fixture
def staff_without_permissions(make_user: Callable[..., User]) -> User:
    return make_user("helper", is_staff=True)


@pytest.fixture
def capture_mails(
    mailoutbox: list[EmailMultiAlternatives], django_capture_on_commit_callbacks: Callable[..., Any]
) -> Callable[[], AbstractContextManager[list[EmailMultiAlternatives]]]:
    """Run the jobs that the `with` block enqueues, and yield the mails that they send."""

    @contextmanager
    def capture() -> Iterator[list[EmailMultiAlternatives]]:
        sent: list[EmailMultiAlternatives] = []
        before = len(mailoutbox)
        with django_capture_on_commit_callbacks(execute=True):
            yield sent
        queue = django_rq.get_queue("default")
        while queue.get_job_ids():
            # Jobs enqueue others after commit, which never comes inside a test's transaction.
            with django_capture_on_commit_callbacks(execute=True):
                run_jobs()
        sent += mailoutbox[before:]

    return capture


@pytest.fixture
def reauthenticated_client(client: Client, alice: User) -> Client:
    """Sign alice in and confirm her password again, as pages with sensitive settings require."""
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


@pytest.fixture
def downloadable_task(alice: User) -> Iterator[ExportTask]:
    """Create a successful task of alice with an archive to download (an empty object)."""
    task = ExportTask.objects.request(alice)[0]
    task.archive.save("posts.json", ContentFile(b"{}"))
    task.archive.close()
    ExportTask.objects.update(
        status=Status.SUCCESSFUL, finished_at=from_now(0), archive_expires_at=from_now(60)
    )
    yield task
    task.archive.storage.delete(task.archive.name or "")


def run_jobs() -> None:
    """Run all queued jobs in this process."""
    queue = django_rq.get_queue("default")
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)


def delete_account(user: User) -> None:
    """Request the deletion of an account and carry it out."""
    task = request_deletion(user)
    jobs.run_task(task._meta.label, str(task.pk), task.attempt)


@pytest.fixture
def scrape(client: Client, settings: Any) -> Callable[[], dict[tuple[str, ...], float]]:
    """Scrape /metrics; return the value of each sample by its name and its labels' values.

    Labels are in the order of their names.
    """
    settings.METRICS_TOKEN = METRICS_TOKEN

    def scrape() -> dict[tuple[str, ...], float]:
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        response = client.get("/metrics", headers=headers)
        assert response.status_code == 200
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(response.content.decode())
            for sample in family.samples
        }

    return scrape


def database_url() -> str:
    """Return the URL under which other processes reach the test database."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return sqlite_url(name)
    before, _, query = os.environ["DATABASE_URL"].partition("?")
    return f"{before.rpartition('/')[0]}/{name}?{query}".rstrip("?")


@pytest.fixture
def many_posts(make_user: Callable[..., User]) -> None:
    """Create 3,000 posts of one author and update the planner's statistics.

    On a small table PostgreSQL prefers a sequential scan to any index.
    """
    author = make_user("crowd")
    hours = (timezone.now() - timedelta(hours=n) for n in range(3000))
    Post.objects.bulk_create(
        [Post(author=author, body="One of many", created_at=hour) for hour in hours]
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE blog_post, blog_user")


@pytest.fixture
def stack(transactional_db: None, tmp_path: Path) -> Iterator[Stack]:
    """Prepare real processes over the test database, with their own broker, not yet started."""
    with Stack(tmp_path, DATABASE_URL=database_url()) as stack:
        yield stack


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Start one Chromium for all tests; each test uses a new browser context."""
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread, so Django would refuse the test's own
        # queries as unsafe asynchronous ones.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(transactional_db: None, browser: "Browser") -> Iterator["Page"]:
    """Open a page 360 pixels wide, and fail the test if anything was logged to its console."""
    logged: list[str] = []
    page = browser.new_page(viewport={"width": 360, "height": 740}, locale="en")
    page.on("console", lambda message: logged.append(message.text))
    page.on("pageerror", lambda error: logged.append(str(error)))
    yield page
    for context in browser.contexts:
        context.close()
    assert not logged
