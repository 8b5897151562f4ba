"""Imports on real processes: site, broker, worker and sweeper, which are killed meanwhile."""

import json
import os
import signal
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from blog.models import Post
from conftest import PASSWORD, wait_until
from dev.site_client import SiteClient
from dev.stack import session_members
from imports.models import ImportTask
from tasks.models import Status

pytestmark = pytest.mark.integration

POSTS = 20_000
FREEZE_SECONDS = 10  # longer than the lease of the tests
START = datetime(2015, 1, 1)


@pytest.fixture
def alice(transactional_db, make_user):
    """Return alice with a password hashed by the site's hasher, and an old account."""
    alice = make_user("alice", date_joined=timezone.now() - timedelta(days=30))
    alice.password = make_password(PASSWORD, hasher="argon2")
    alice.save(update_fields=["password"])
    return alice


@pytest.fixture
def person(alice, stack):
    stack.start()
    with SiteClient(stack.site_url) as person:
        person.sign_in("alice", PASSWORD)
        yield person


def archive():
    rows = [
        {
            "body": f"Post {number // 2}",
            "timestamp": (START + timedelta(minutes=number // 4)).isoformat() + "Z",
        }
        for number in range(POSTS)
    ]
    return json.dumps({"version": 1, "username": "ada", "posts": rows, "count": POSTS}).encode()


def upload(person):
    person.post("/imports/", "/imports/", files={"file": ("posts.json", archive())})
    wait_until(lambda: ImportTask.objects.get().is_previewed)
    return ImportTask.objects.get()


def confirm(person, task):
    path = task.get_absolute_url()
    person.post(path, path, years=list(task.preview["years"]))
    wait_until(lambda: is_writing(task))


def is_writing(task):
    task.refresh_from_db()
    return task.status == Status.RUNNING and 0 < task.rows_done < POSTS


def work_horses(stack):
    worker = stack.children["worker"]
    return [pid for pid in session_members(worker.pid) if pid != worker.pid]


def kill_worker(stack):
    stack.kill("worker")
    stack.start("worker")


def kill_work_horse(stack):
    for pid in work_horses(stack):
        os.kill(pid, signal.SIGKILL)


def freeze_work_horse(stack):
    """Let the lease expire, and then the zombie wake up.

    On SQLite a process that is frozen inside a batch keeps the lock, so nobody can rescue the task
    before it wakes.
    """
    frozen, woken_at = work_horses(stack), time.monotonic() + FREEZE_SECONDS
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: time.monotonic() > woken_at)
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("kill", [kill_worker, kill_work_horse])
def test_killed_import_has_each_post_once(person, stack, kill):
    task = upload(person)
    confirm(person, task)
    kill(stack)
    assert_each_post_is_there_once(task)
    assert task.attempt > 2


def test_frozen_import_has_each_post_once(person, stack):
    task = upload(person)
    confirm(person, task)
    freeze_work_horse(stack)
    assert_each_post_is_there_once(task)


def assert_each_post_is_there_once(task):
    wait_until(lambda: ImportTask.objects.get().status == Status.SUCCESSFUL)
    task.refresh_from_db()
    assert task.imported == POSTS
    bodies = Counter(Post.objects.values_list("body", flat=True))
    assert bodies == {f"Post {number}": 2 for number in range(POSTS // 2)}


def test_cancelled_import_stops_within_two_seconds(person):
    task = upload(person)
    confirm(person, task)
    person.post(f"{task.get_absolute_url()}cancel/", task.get_absolute_url())
    time.sleep(2)  # the promise
    count = Post.objects.count()
    time.sleep(1)
    assert 0 < count == Post.objects.count() < POSTS
    assert f">{count:,}</dd>" in person.get(task.get_absolute_url()).text
