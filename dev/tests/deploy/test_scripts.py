"""Arguments and environment files of the scripts in deploy/, and the Python of install.sh."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.stack import ROOT

pytestmark = pytest.mark.sqlite

DEPLOY = ROOT / "deploy"
SCRIPTS = ["install.sh", "backup.sh", "restore.sh", "migrate.sh"]


def run(
    script: Path, *arguments: str, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(script), *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "DESTDIR": str(cwd / "root")} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("arguments", [["--nonsense"], ["-x"], ["--Back"], ["a", "b"]])
def test_unknown_arguments_print_usage_and_change_nothing(tmp_path, script, arguments):
    done = run(DEPLOY / script, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"deploy/{script}" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("argument", ["--help", "-h"])
def test_help_prints_usage_and_changes_nothing(tmp_path, script, argument):
    done = run(DEPLOY / script, argument, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"deploy/{script}" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "arguments"),
    [("backup.sh", []), ("restore.sh", []), ("install.sh", ["--back", "--back"])],
)
def test_missing_or_extra_argument_exits_2(tmp_path, script, arguments):
    assert run(DEPLOY / script, *arguments, cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("script", ["bin/post_compile", ".ci/run"])
def test_scripts_without_arguments_refuse_any(tmp_path, script):
    assert run(ROOT / script, "--help", cwd=tmp_path).returncode == 2
    assert run(Path("/bin/sh"), str(ROOT / "dev/tools.sh"), "-x", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    "module",
    ["dev.broker", "dev.demo", "dev.check_deploy", "dev.check_upgrades", "dev.check_translations"],
)
def test_developer_commands_refuse_unknown_arguments(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--nonsense"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"usage:" in done.stderr


def test_restore_names_a_folder_without_backup(tmp_path):
    done = run(DEPLOY / "restore.sh", str(tmp_path), cwd=tmp_path, VAR_DIR=str(tmp_path / "var"))
    assert done.returncode == 1
    assert "does not exist: name a folder that backup.sh printed." in done.stderr
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("name", ["plain", "a b#c", "100%25?", "$HOME 'q' é"])
def test_backup_and_restore_accept_every_folder(tmp_path, name):
    """Back up a database in a folder of that name, and restore it to another one."""
    import sqlite3

    from microblog.addresses import sqlite_url

    folder = tmp_path / name
    folder.mkdir()
    with sqlite3.connect(folder / "db.sqlite3") as database:
        database.execute("CREATE TABLE kept (id)")
    for url in ("", sqlite_url(folder / "db.sqlite3")):
        variables = {"VAR_DIR": str(folder)} | ({"DATABASE_URL": url} if url else {})
        done = run(DEPLOY / "backup.sh", str(tmp_path / f"b {name}"), cwd=tmp_path, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        backup = done.stdout.strip()
        new = tmp_path / f"new {len(url)} {name}"
        done = run(DEPLOY / "restore.sh", backup, cwd=tmp_path, VAR_DIR=str(new))
        assert (done.returncode, done.stderr) == (0, "")
        with sqlite3.connect(new / "db.sqlite3") as database:
            assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("kept",)]
        shutil.rmtree(backup)


# The environment file


def print_variables(tmp_path: Path, content: str) -> subprocess.CompletedProcess[str]:
    """Load an environment file as the scripts do, and print the variables A and B."""
    (tmp_path / "env").write_text(content)
    code = (
        f'. "{DEPLOY}/environment.sh"; load_environment "$PWD/env"; '
        'printf "%s|%s" "${A-}" "${B-}"'
    )
    return subprocess.run(
        ["/bin/sh", "-euc", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("A=plain\n\n# comment\nB='$x `y` \"z\" \\ #'\n", 'plain|$x `y` "z" \\ #'),
        ('A="two words"\nB=postgres:///db?host=/run\n', "two words|postgres:///db?host=/run"),
        ("A=\nB=a@b.example,c@d.example\n", "|a@b.example,c@d.example"),
    ],
)
def test_environment_file_is_read_as_systemd_does(tmp_path, content, expected):
    done = print_variables(tmp_path, content)
    assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.parametrize(
    "line",
    [
        "B=$secret",
        "B=a b",
        "B=`id`",
        "B=a;b",
        "B=a&b",
        "B=~/var",
        'B="$secret"',
        "B='it''s'",
        "B=a#b'",
        "export B=1",
        "B = 1",
        "id",
    ],
)
def test_ambiguous_line_of_environment_is_refused(tmp_path, line):
    done = print_variables(tmp_path, f"A=1\n{line}\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"Line 2 of {tmp_path}/env is not NAME=value, or needs single quotes"
    )
    assert "secret" not in done.stderr


def test_example_environment_is_accepted(tmp_path):
    done = print_variables(tmp_path, (DEPLOY / "env.example").read_text())
    assert (done.stdout, done.stderr) == ("|", "")


# The Python of install.sh


@pytest.mark.parametrize("folder", ["home/me/bin", "root", "run/user/1", "tmp/x", "var/tmp"])
def test_python_that_services_cannot_see_is_refused(tmp_path, folder):
    python = tmp_path / "root" / folder / "python3"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    done = run(DEPLOY / "install.sh", cwd=tmp_path, PYTHON=str(python))
    assert done.returncode == 1
    assert "which systemd hides from the services (ProtectHome, PrivateTmp)" in done.stderr
    assert not (tmp_path / "root" / "srv").exists()


def test_release_name_with_special_characters_is_refused(tmp_path):
    for version in ("../one", "a b", "v1/two", ".hidden"):
        done = run(DEPLOY / "install.sh", cwd=tmp_path, VERSION=version, PYTHON=sys.executable)
        assert done.returncode == 2
        assert done.stderr.startswith(f"VERSION is '{version}'; it may be")
    assert not (tmp_path / "root").exists()
