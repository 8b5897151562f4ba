"""Requests and jobs that write rows of an account while it is being deleted, on PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest
from django.db import connection, connections, transaction

from blog import moderation
from blog.accounts import deletion
from blog.forms import PostForm
from blog.models import Block, Conversation, Follow, Mute, Participant, Post, Report, User
from blog.views.messages import _send_message
from conftest import wait_until
from exports.models import ExportMail, ExportTask, MailStatus, Purpose
from tasks import jobs
from tasks.models import Status
from tasks.models.rows import AccountClosed

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@dataclass
class Case:
    """Account that is deleted, another one, and what the writes change."""

    leaver: User
    other: User
    post: Post
    task: ExportTask
    mail: ExportMail


def follow(case):
    Follow.objects.follow(case.leaver, case.other)


def be_followed(case):
    Follow.objects.follow(case.other, case.leaver)


def block(case):
    Block.objects.block(case.leaver, case.other)


def be_muted(case):
    Mute.objects.mute(case.other, case.leaver)


def write_message(case):
    _send_message(Participant(person=case.leaver, other=case.other), "Hello", None)


def receive_message(case):
    _send_message(Participant(person=case.other, other=case.leaver), "Hello", None)


def publish(case):
    _publish(case.leaver, "Hello")


def be_mentioned(case):
    _publish(case.other, f"Hello @{case.leaver.username}")


def _publish(author, body):
    form = PostForm({"body": body}, instance=Post(author=author))
    assert form.is_valid()
    form.save()


def be_reported(case):
    Report.objects.get_or_create_open(case.other, case.leaver, None, reason="SPAM", comment="")


def request_export(case):
    ExportTask.objects.request(case.leaver)


def hide_post(case):
    moderation.hide(case.post, case.other, "Spam")


def deactivate(case):
    moderation.deactivate(case.leaver, case.other)


def record_mail(case):
    assert case.mail.status == MailStatus.SENDING
    case.mail.mark_sent()


def record_bounce(case):
    case.mail.mark_bounced("550 no such user")


def withdraw_mail(case):
    case.task.expire(case.other)


WRITES = [
    follow, be_followed, block, be_muted, write_message, receive_message, publish, be_mentioned,
    be_reported, request_export, hide_post, deactivate, record_mail, record_bounce, withdraw_mail,
]  # fmt: skip


@pytest.fixture
def case(alice, bob):
    post = Post.objects.create(author=alice, body="Hello")
    Report.objects.create(reporter=bob, person=alice, post=post, reason="SPAM")
    Conversation.objects.get_or_create_between(alice, bob).add_message(bob, alice, "Hello")
    task = ExportTask.objects.request(alice)[0]
    ExportTask.objects.update(status=Status.SUCCESSFUL, archive="posts/x.json")
    # Only its event is recorded: a change of the notification would wait for its row already.
    mail = ExportMail.objects.create(task=task, purpose=Purpose.FAILURE)
    mail.claim()
    return Case(alice, bob, post, task, mail)


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield lambda function, *args: pool.submit(_run, function, *args)


def _run(function, *args):
    try:
        return function(*args)
    finally:
        connections.close_all()


def is_waiting_for_lock():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0] > 0


@pytest.mark.parametrize("write", WRITES)
def test_write_that_began_before_is_deleted_too(case, threads, write):
    written, may_commit = threading.Event(), threading.Event()

    def write_slowly():
        with transaction.atomic():
            write(case)
            written.set()
            assert may_commit.wait(30)

    writer = threads(write_slowly)
    wait_until(lambda: written.is_set() or writer.done())
    deleter = threads(request_and_delete, case.leaver)
    wait_until(lambda: is_waiting_for_lock() or deleter.done())
    may_commit.set()
    writer.result(30)
    assert_deleted(deleter.result(30), case.leaver)


@pytest.mark.parametrize("write", WRITES)
def test_write_during_last_transaction_is_refused(case, threads, monkeypatch, write):
    delete_user, deleted, may_commit = deletion.delete_user, threading.Event(), threading.Event()

    def delete_slowly(user, **options):
        delete_user(user, **options)
        deleted.set()
        assert may_commit.wait(30)

    monkeypatch.setattr(deletion, "delete_user", delete_slowly)
    deleter = threads(request_and_delete, case.leaver)
    wait_until(lambda: deleted.is_set() or deleter.done())
    writer = threads(write, case)
    wait_until(lambda: is_waiting_for_lock() or writer.done())
    may_commit.set()
    task = deleter.result(30)
    with suppress(AccountClosed):
        writer.result(30)
    assert_deleted(task, case.leaver)


def request_and_delete(leaver):
    task = deletion.request_deletion(leaver)
    jobs.run_task(task._meta.label, str(task.pk), task.attempt)
    return task


def assert_deleted(task, user):
    task.refresh_from_db()
    assert (task.status, task.crashes, task.owner) == (Status.SUCCESSFUL, 0, None)
    assert not User.objects.filter(username=user.username).exists()
    assert not Conversation.objects.exists()


def test_two_accounts_with_common_messages_are_deleted_at_once(alice, bob, threads, monkeypatch):
    monkeypatch.setattr(deletion, "BATCH_SIZE", 10)
    conversation = Conversation.objects.get_or_create_between(alice, bob)
    for number in range(60):
        sender, recipient = (alice, bob) if number % 2 else (bob, alice)
        conversation.add_message(sender, recipient, str(number))
    both = [threads(request_and_delete, user) for user in (alice, bob)]
    for user, deleter in zip((alice, bob), both, strict=True):
        assert_deleted(deleter.result(60), user)
