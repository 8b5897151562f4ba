"""Exports on real processes: site, broker, worker, sweeper and mail server."""

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from django.contrib.auth.hashers import make_password

from blog.management import demo_data as demo
from blog.models import Post, User
from conftest import PASSWORD
from dev.mailbox import Mail
from dev.site_client import SiteClient
from dev.stack import Stack, session_members
from exports.models import ErrorCode, Event, ExportTask, MailStatus, Status

pytestmark = pytest.mark.integration


@pytest.fixture
def alice(transactional_db: None, make_user: Callable[..., User]) -> User:
    """Return alice with a password hashed by the site's hasher.

    The site's processes do not know the tests' fast hasher.
    """
    alice = make_user("alice")
    alice.password = make_password(PASSWORD, hasher="argon2")
    alice.save(update_fields=["password"])
    return alice


def create_posts(author: User, number: int) -> None:
    texts = demo.generate_posts(author.username, number, seed=1)
    Post.objects.bulk_create(
        Post(author=author, body=text.body, created_at=text.created_at) for text in texts
    )


def request_export(stack: Stack, owner: User) -> ExportTask:
    with SiteClient(stack.site_url) as person:
        person.sign_in(owner.username, PASSWORD)
        return ExportTask.objects.get(pk=person.request_export(owner.username))


def wait_until(task: ExportTask, condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, (
            f"still {task.status}, {task.rows_done} of {task.rows_total} rows"
        )
        time.sleep(0.05)
        task.refresh_from_db()


def only_mail(stack: Stack, task: ExportTask) -> Mail:
    """Wait until the mail is recorded as sent, and check that exactly one arrived."""
    stack.mailbox.wait(task.owner.email, seconds=60)
    wait_until(task, lambda: task.mails.filter(status=MailStatus.SENT).exists())
    [mail] = stack.mailbox.mails(task.owner.email)
    [row] = task.mails.all()
    assert str(row.pk) in mail.message["Message-ID"]
    task.refresh_from_db()
    return mail


def text_of(mail: Mail) -> str:
    body = mail.message.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    return str(body.get_content())


def assert_complete(mail: Mail, task: ExportTask) -> None:
    """Check that the attachment equals the rows in the database."""
    part = mail.attachment("posts.json")
    assert part is not None
    assert part.get_content_type() == "application/json"
    content = part.get_content()
    assert json.loads(content)["posts"] == [
        {"body": post.body, "timestamp": post.created_at.isoformat().replace("+00:00", "Z")}
        for post in task.owner.posts.oldest_first()
    ]
    assert hashlib.sha256(content).hexdigest() == task.archive_sha256
    assert task.archive_sha256 in text_of(mail)


def test_request_delivers_archive_by_mail(stack, alice, bob):
    create_posts(alice, 300)
    create_posts(bob, 10)
    stack.start()

    task = request_export(stack, alice)

    mail = only_mail(stack, task)
    assert task.status == Status.SUCCESSFUL
    assert mail.message["Subject"] == "[Microblog] Your blog posts"
    assert mail.message["To"] == "alice@microblog.example"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert_complete(mail, task)


def test_two_requests_create_one_task_and_mail(stack, alice):
    create_posts(alice, 600)
    stack.env["EXPORT_MAX_RATE"] = "150"  # four seconds for the second request
    stack.start()

    with SiteClient(stack.site_url) as person:
        person.sign_in("alice", PASSWORD)
        first, task = (person.request_export("alice") for _ in range(2))
        assert first == task
        seen = list(watch(person, task))

    values = [data["value"] for data in seen]
    assert values == sorted(values)
    assert any(0 < value < 99 for value in values)
    assert max(values) < 100
    assert [data["active"] for data in seen[:-1]] == [True] * (len(seen) - 1)
    assert seen[-1]["toast"]["level"] == "success"
    [row] = ExportTask.objects.all()
    assert_complete(only_mail(stack, row), row)
    assert row.events.filter(kind=Event.REQUESTED).count() == 1


def watch(person: SiteClient, task: str):
    """Yield the polled states, until the final one has a toast."""
    since, data = "", {"toast": None}
    deadline = time.monotonic() + 30
    while data["toast"] is None:
        assert time.monotonic() < deadline
        response = person.notifications(since)
        since = response["since"]
        for item in response["notifications"]:
            if item["data"]["task"] == task:
                data = item["data"]
                yield data
        time.sleep(0.1)


def kill_worker(stack: Stack) -> None:
    stack.kill("worker")
    stack.start("worker")


def kill_work_horse(stack: Stack) -> None:
    worker = stack.children["worker"]
    for pid in session_members(worker.pid):
        if pid != worker.pid:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [kill_worker, kill_work_horse])
def test_killed_build_is_repeated(stack, alice, kill):
    create_posts(alice, 900)
    stack.env["EXPORT_MAX_RATE"] = "300"
    stack.start()
    task = request_export(stack, alice)
    wait_until(task, lambda: task.status == Status.RUNNING and task.rows_done > 0)

    kill(stack)

    mail = only_mail(stack, task)
    assert task.status == Status.SUCCESSFUL
    assert (task.attempt, task.crashes) == (2, 1)
    assert_complete(mail, task)


def test_request_survives_broker_outage(stack, alice):
    create_posts(alice, 50)
    stack.start()
    stack.stop("worker", "broker")

    task = request_export(stack, alice)
    assert task.status == Status.READY

    stack.start("broker", "worker")
    assert_complete(only_mail(stack, task), task)


def test_mail_server_outage_delays_only_the_mail(stack, alice):
    create_posts(alice, 50)
    stack.start("broker", "worker", "sweeper", "site")
    task = request_export(stack, alice)
    wait_until(task, lambda: task.mails.filter(tries__gt=0, status=MailStatus.PENDING).exists())

    stack.start("mail")

    assert_complete(only_mail(stack, task), task)
    assert task.attempt == 1


def test_failing_job_mails_its_owner(stack, alice):
    create_posts(alice, 500)
    stack.env |= {"EXPORT_MAX_RATE": "100", "EXPORT_JOB_TIMEOUT": "1"}
    stack.start()

    task = request_export(stack, alice)

    mail = only_mail(stack, task)
    assert (task.status, task.error_code) == (Status.FAILED, ErrorCode.TIMEOUT)
    assert "JobTimeoutException" in task.traceback
    assert mail.message["Subject"] == "[Microblog] Your blog posts could not be exported"
    assert mail.attachment("posts.json") is None
    assert str(ErrorCode.TIMEOUT.label) in text_of(mail)
    assert str(task.pk) in text_of(mail)


def test_persistent_transient_error_fails_after_three_crashes(stack, alice):
    create_posts(alice, 50)
    (stack.var / "archives").write_text("a file where the folder should be")
    stack.start()

    task = request_export(stack, alice)

    mail = only_mail(stack, task)
    assert (task.status, task.error_code, task.crashes) == (Status.FAILED, ErrorCode.CRASHED, 3)
    assert str(ErrorCode.CRASHED.label) in text_of(mail)
