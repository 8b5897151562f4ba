"""Deletion of an account by real worker processes that are killed in the middle."""

import os
import signal
import time

import pytest

from blog.accounts import deletion
from blog.models import AccountDeletion, Conversation, Post, User
from dev.stack import Stack, session_members
from tasks.models import Status

pytestmark = [
    pytest.mark.integration,
    pytest.mark.postgres,
    pytest.mark.timeout(300),
]

POSTS = 12_000  # 24 batches


def kill_worker(stack: Stack) -> None:
    stack.kill("worker")
    stack.start("worker")


def kill_work_horse(stack: Stack) -> None:
    worker = stack.children["worker"]
    for pid in session_members(worker.pid):
        if pid != worker.pid:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def task(transactional_db, alice, bob) -> AccountDeletion:
    """Request the deletion of alice's account, whose job the sweeper enqueues."""
    for author, number in ((alice, POSTS), (bob, 3)):
        Post.objects.bulk_create(
            [Post(author=author, body=f"Post {n}") for n in range(number)], batch_size=2000
        )
    Conversation.objects.get_or_create_between(alice, bob).add_message(alice, bob, "Hello")
    return deletion.request_deletion(alice)


def wait_until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_finished(task: AccountDeletion) -> bool:
    task.refresh_from_db()
    assert task.status not in (Status.FAILED, Status.CANCELLED)
    return task.status == Status.SUCCESSFUL


@pytest.mark.parametrize("kill", [kill_worker, kill_work_horse])
def test_killed_deletion_continues_and_ends_once(stack, alice, bob, task, kill):
    stack.start("broker", "mail", "worker", "sweeper")
    wait_until(lambda: alice.posts.count() < POSTS)

    kill(stack)

    remaining = alice.posts.count()
    assert 0 < remaining < POSTS  # it was killed in the middle
    wait_until(lambda: is_finished(task))
    assert task.attempt > 1
    assert task.crashes >= 1
    events = list(task.events.values_list("kind", "attempt"))
    assert [kind for kind, _attempt in events].count("FINISHED") == 1
    assert events[-1] == ("FINISHED", task.attempt)
    assert list(User.objects.all()) == [bob]
    assert Post.objects.count() == bob.posts.count() == 3
    assert not Conversation.objects.exists()
    assert task.rows_done == task.rows_total
    stack.mailbox.wait("alice@microblog.example", seconds=60)
    stack.stop("sweeper", "worker")
    assert len(stack.mailbox.mails("alice@microblog.example")) == 1
