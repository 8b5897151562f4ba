"""The people of the tests, and a running stack."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import django_rq
import hypothesis
import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.test import Client
from django.utils import timezone, translation
from rq import SimpleWorker

from blog import rate_limits
from blog.models import Conversation, Message, Post, User
from dev.pytest_plugin import chromium
from dev.stack import Stack
from exports.models import ExportTask, Status
from exports.models.concurrency import from_now
from microblog import request_ids

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSWORD = "a walk beside the river"

# The same examples each time. With HYPOTHESIS_PROFILE=thorough there are twenty times as many, others each time, and
# what breaks a test is made as small as can be.
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
    """Look until another thread or process has made it true; AssertionError if none has in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # nothing wakes us


@pytest.fixture(autouse=True)
def own_thread() -> Iterator[None]:
    """Forget the language and the id that a request leaves in its thread."""
    yield
    translation.deactivate()
    request_ids.end()


@pytest.fixture(autouse=True)
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget how often anything was done: each test's first person has the same key. No window ends in mid-test."""
    cache.clear()
    monkeypatch.setattr(rate_limits, "time", SimpleNamespace(time=lambda: 60.0))


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """Make a person with a confirmed address and the password PASSWORD."""

    def make(username: str, **fields: object) -> User:
        user = User.objects.create_user(
            username, f"{username}@microblog.example", PASSWORD, **fields
        )
        user.confirm_email()
        return user

    return make


@pytest.fixture
def alice(make_user: Callable[..., User]) -> User:
    """Who owns things."""
    return make_user("alice")


@pytest.fixture
def bob(make_user: Callable[..., User]) -> User:
    """A stranger."""
    return make_user("bob")


@pytest.fixture
def say(db: None) -> Callable[..., Message]:
    """Have one write to another, in the one conversation of the two."""

    def speak(sender: User, recipient: User, body: str = "Hello") -> Message:
        message = Conversation.objects.get_or_create_between(sender, recipient).add_message(
            sender, recipient, body
        )
        assert message is not None
        return message

    return speak


@pytest.fixture
def staff(make_user: Callable[..., User]) -> User:
    """A superuser."""
    return make_user("staff", is_staff=True, is_superuser=True)


@pytest.fixture
def new_mails(
    mailoutbox: list[EmailMultiAlternatives], django_capture_on_commit_callbacks: Callable[..., Any]
) -> Callable[[], AbstractContextManager[list[EmailMultiAlternatives]]]:
    """The mails about accounts that a worker sends for what is done inside."""

    @contextmanager
    def catch() -> Iterator[list[EmailMultiAlternatives]]:
        sent: list[EmailMultiAlternatives] = []
        before = len(mailoutbox)
        with django_capture_on_commit_callbacks(execute=True):
            yield sent
        queue = django_rq.get_queue("default")
        SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(
            burst=True
        )
        sent += mailoutbox[before:]

    return catch


@pytest.fixture
def careful(client: Client, alice: User) -> Client:
    """Alice's browser, in which she has just entered her password a second time."""
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


@pytest.fixture
def archived(alice: User) -> Iterator[ExportTask]:
    """An export of alice's whose archive, an empty one, can be downloaded."""
    task = ExportTask.objects.request(alice.pk)[0]
    task.archive.save("posts.json", ContentFile(b"{}"))
    task.archive.close()
    ExportTask.objects.update(
        status=Status.SUCCESSFUL, finished_at=from_now(0), archive_expires_at=from_now(60)
    )
    yield task
    task.archive.storage.delete(task.archive.name or "")


def database_url() -> str:
    """The tests' own database, as other processes name it."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    before, _, query = os.environ["DATABASE_URL"].partition("?")
    return f"{before.rpartition('/')[0]}/{name}?{query}".rstrip("?")


@pytest.fixture
def crowd(make_user: Callable[..., User]) -> None:
    """Thousands of posts by somebody else, and statistics of them: on a small table every plan is as good."""
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
    """A stack of real processes over the tests' database, not yet started; its broker is its own."""
    with Stack(tmp_path, DATABASE_URL=database_url()) as stack:
        yield stack


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """One real browser for all of them; a context of its own is what keeps the tests apart."""
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's loop runs in this thread, and Django would take the tests' own queries for asynchronous ones.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(transactional_db: None, browser: "Browser") -> Iterator["Page"]:
    """A page of a real browser, 360 pixels wide. At the end nothing may have been logged to its console."""
    logged: list[str] = []
    page = browser.new_page(viewport={"width": 360, "height": 740}, locale="en")
    page.on("console", lambda message: logged.append(message.text))
    page.on("pageerror", lambda error: logged.append(str(error)))
    yield page
    for context in browser.contexts:
        context.close()
    assert not logged
