"""Arguments of the management commands, and what they say where a service is missing."""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, execute_from_command_line
from redis.exceptions import ConnectionError as RedisConnectionError

from dev.stack import ROOT
from microblog import health
from microblog.addresses import sqlite_url
from tasks import sweeper


def run_manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.integration
@pytest.mark.sqlite
@pytest.mark.parametrize(
    "arguments", [("sweeper", "--once"), ("export_posts", "alice", "--output", "alice.json")]
)
@pytest.mark.parametrize(
    ("path", "message"),
    [("new.sqlite3", r"lacks migrations .*: run manage\.py migrate"), ("", "does not answer: ")],
)
def test_command_without_database_says_so(tmp_path, arguments, path, message):
    """Run the command with a database that is empty, or whose file cannot be opened."""
    (tmp_path / "folder").mkdir()
    done = run_manage(*arguments, DATABASE_URL=sqlite_url(tmp_path / (path or "folder")))
    assert done.returncode == 1
    assert re.search(rf"CommandError: The database .*{message}", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.django_db
def test_sweep_without_broker_says_so(monkeypatch):
    def fail() -> None:
        raise RedisConnectionError("refused")

    monkeypatch.setattr(health, "check_broker", fail)
    with pytest.raises(CommandError, match="The broker of REDIS_URL does not answer: refused"):
        call_command("sweeper", once=True)


@pytest.mark.django_db
def test_failed_step_of_single_sweep_is_named(monkeypatch):
    def fail() -> None:
        raise ZeroDivisionError

    fail.__name__ = "rescue_tasks"
    call_command("sweeper", once=True)
    monkeypatch.setattr(sweeper, "rescue_tasks", fail)
    with pytest.raises(CommandError, match=r"^Failed, see the log: rescue_tasks\.$"):
        call_command("sweeper", once=True)


@pytest.mark.parametrize("address", ["nonsense", "a@b", "Foo <a@b.example>", "a@b.example, c@d.e"])
def test_selftest_refuses_wrong_recipient(address):
    with pytest.raises(CommandError, match=r"^--to is '.*'; it may be one email address"):
        call_command("selftest", to=address)


@pytest.mark.parametrize("checksum", ["", "abc", "g" * 64, "0" * 65])
def test_verify_archive_refuses_wrong_checksum(tmp_path, checksum):
    (tmp_path / "posts.json").write_text("{}")
    with pytest.raises(CommandError, match=r"^--sha256 is '.*'; it may be 64 hexadecimal digits"):
        call_command("verify_archive", tmp_path / "posts.json", sha256=checksum)


def verified_totals(file: Path) -> list[str]:
    """Return all numbers of entries that `verify_archive` prints."""
    out, progress = StringIO(), StringIO()
    call_command("verify_archive", file, stdout=out, stderr=progress)
    text = out.getvalue() + progress.getvalue().splitlines()[-1]
    return re.findall(r"([\d,]+) (?:of|entries|posts)\b", text)


@pytest.mark.django_db
def test_verify_archive_prints_one_total(
    alice, bob, build_archive, create_posts, send_message, tmp_path
):
    create_posts(alice, 3)
    for body in ("Hello", "again", "and again"):
        send_message(alice, bob, body)
    for kind in ("posts", "account"):
        file = tmp_path / kind
        file.write_bytes(build_archive(alice, kind))
        totals = verified_totals(file)
        assert len(totals) == 3, totals
        assert len(set(totals)) == 1


@pytest.mark.parametrize("name", ["export_posts", "selftest", "sweeper", "verify_archive"])
def test_unknown_argument_prints_usage_and_exits_2(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        execute_from_command_line(["manage.py", name, "--nonsense"])
    assert exit_.value.code == 2
    assert f"usage: manage.py {name}" in capsys.readouterr().err
