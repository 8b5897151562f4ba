"""Folders of any name: of the checkout, and of the data."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from dev.stack import ROOT, Stack

pytestmark = [pytest.mark.sqlite, pytest.mark.integration]

FOLDERS = [
    "a blank #hash 100%25?&=+;,",
    "\"double\" 'single' `back` \\ $HOME ~ {a,b} [c]* Bücher 日本語",
    "long" * 50,
]
# Needs no package that is not installed, and asserts that the tests' own start is in order.
OWN_TEST = """
import os
from pathlib import Path

import pytest
from django.db import connection

from blog.models import User


@pytest.mark.django_db
def test_own_start(empty_broker):
    User.objects.create_user("alice")
    empty_broker.set("name", "kept")
    folder = Path(os.environ["VAR_DIR"])
    if connection.vendor == "sqlite":
        assert Path(connection.settings_dict["NAME"]).parent == folder
"""


@pytest.mark.parametrize("name", FOLDERS, ids=["url", "shell", "long"])
def test_broker_and_database_work_in_every_folder(tmp_path, name):
    folder = tmp_path / name
    with Stack(folder, LOG_LEVEL="WARNING") as stack:
        stack.start("broker")
        stack.run("migrate", "--plan")
        with redis.Redis.from_url(stack.env["REDIS_URL"]) as connection:
            connection.client_setname("me")
            assert [client["name"] for client in connection.client_list()] == ["me"]
            assert connection.client_info()["name"] == "me"
        assert {"db.sqlite3", "log"} <= {path.name for path in folder.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the code to a folder with an unusual name."""
    folder = tmp_path / "a checkout #1, 50% 'é'"
    ignored = shutil.ignore_patterns(".git", ".venv", "var", "*_cache", "staticfiles")
    shutil.copytree(ROOT, folder, ignore=ignored, symlinks=True)
    return folder


def run(checkout: Path, *arguments: str, **variables: str) -> str:
    """Run Python in the checkout, without this run's variables; return its output."""
    names = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")
    env = {name: os.environ[name] for name in names if name in os.environ}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env=env | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_demo_runs_in_unusual_checkout(checkout):
    (checkout / ".env").write_text("DEBUG=true\n")
    output = run(checkout, "-m", "dev.demo")
    assert "10,000 posts of the account" in output
    assert sorted(path.name for path in checkout.parent.iterdir()) == [checkout.name]
    assert (checkout / "var" / "demo" / "db.sqlite3").exists()


def test_tests_start_in_unusual_checkout(checkout):
    (checkout / "blog" / "tests" / "test_own_start.py").write_text(OWN_TEST)
    output = run(checkout, "-m", "pytest", "-q", "blog/tests/test_own_start.py")
    assert "1 passed" in output


def test_commands_use_default_folder_of_unusual_checkout(checkout):
    variables = {"DEBUG": "true", "SECRET_KEY": "for development"}
    run(checkout, "manage.py", "migrate", "--verbosity", "0", **variables)
    assert (checkout / "var" / "db.sqlite3").exists()
    assert sorted(path.name for path in checkout.parent.iterdir()) == [checkout.name]
