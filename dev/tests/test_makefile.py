"""The first `make`: the virtual environment, packages and `.env`, in a folder of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.stack import ROOT

pytestmark = pytest.mark.integration

# Outside the project, whose path may contain spaces.
PYTHON = Path(sys.base_prefix) / "bin" / "python3"

# What `python -m venv` does on Debian without python3-venv: it fails halfway, without pip.
PYTHON_WITHOUT_VENV = f"""#!/bin/sh
case "$*" in
"-m venv "*)
    {PYTHON} -m venv --without-pip "$3"
    echo "The virtual environment was not created successfully: no ensurepip."
    exit 1 ;;
esac
exec {PYTHON} "$@"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Create a project that requires no packages, so that no test depends on the network."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text("")
    return tmp_path


def make(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", f"PYTHON={PYTHON}", "ready", *arguments],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


def has_pip(project: Path) -> bool:
    python = project / ".venv" / "bin" / "python"
    command = [python, "-m", "pip", "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_first_make_prints_few_lines(project):
    done = make(project)

    assert done.stdout.splitlines() == [
        "Creating the virtual environment .venv ...",
        "Installing the packages of requirements.txt requirements-dev.txt, "
        "output in var/log/pip.log ...",
        "Creating .env with DEBUG and a new SECRET_KEY ...",
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert has_pip(project)
    assert (project / "var" / "log" / "pip.log").exists()
    assert make(project).stdout == "make: Nothing to be done for 'ready'.\n"


def test_log_is_private_but_packages_are_not(project):
    make(project)

    others = {path.name: path.stat().st_mode & 0o077 for path in (project / "var/log").iterdir()}
    assert others == {"venv.log": 0, "pip.log": 0}
    for path in (project / ".venv", *(project / ".venv/lib").glob("python*/site-packages/pip")):
        assert path.stat().st_mode & 0o005 == 0o005, path


def test_venv_without_pip_is_repaired(project):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    assert not has_pip(project)

    done = make(project)

    assert done.returncode == 0, done.stderr
    assert has_pip(project)


def test_failed_venv_names_missing_package(project):
    python = project / "python-without-venv"
    python.write_text(PYTHON_WITHOUT_VENV)
    python.chmod(0o700)

    done = make(project, f"PYTHON={python}")

    assert done.returncode == 2
    assert "no ensurepip" in done.stderr
    assert "install the package python3-venv" in done.stderr
    assert not (project / ".venv").exists()
    assert make(project).returncode == 0
    assert has_pip(project)


def test_failed_installation_shows_end_of_log(project):
    (project / "requirements.txt").write_text("not a requirement\n")

    done = make(project)

    assert done.returncode == 2
    assert "Invalid requirement: 'not a requirement'" in done.stderr
    assert len(done.stderr.splitlines()) < 20
    (project / "requirements.txt").write_text("")
    assert make(project).returncode == 0
