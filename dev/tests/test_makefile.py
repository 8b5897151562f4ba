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

# Copies a finished environment, which takes a tenth of the time that pip needs to install itself.
PYTHON_WITH_COPY = f"""#!/bin/sh
case "$*" in
"-m venv "*) exec cp -R "$FINISHED_VENV" "$3" ;;
esac
exec {PYTHON} "$@"
"""

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


@pytest.fixture(scope="module")
def finished_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a virtual environment and a Python, `python`, whose `-m venv` copies it."""
    folder = tmp_path_factory.mktemp("finished")
    subprocess.run([PYTHON, "-m", "venv", folder / ".venv"], check=True)
    (folder / "python").write_text(PYTHON_WITH_COPY)
    (folder / "python").chmod(0o700)
    return folder / ".venv"


@pytest.fixture
def quick_python(finished_venv: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINISHED_VENV", str(finished_venv))
    return finished_venv.with_name("python")


def make(project: Path, python: Path = PYTHON) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", f"PYTHON={python}", "ready"],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(project),
            "FINISHED_VENV": os.environ.get("FINISHED_VENV", ""),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def has_pip(project: Path) -> bool:
    python = project / ".venv" / "bin" / "python"
    command = [python, "-m", "pip", "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_first_make_prints_few_lines_and_keeps_log_private(project):
    done = make(project)

    assert done.stdout.splitlines() == [
        "Creating the virtual environment .venv ...",
        "Installing the packages of requirements.txt requirements-dev.txt, "
        "output in var/log/pip.log ...",
        "Creating .env with DEBUG and a new SECRET_KEY ...",
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert has_pip(project)
    others = {path.name: path.stat().st_mode & 0o077 for path in (project / "var/log").iterdir()}
    assert others == {"venv.log": 0, "pip.log": 0}
    for path in (project / ".venv", *(project / ".venv/lib").glob("python*/site-packages/pip")):
        assert path.stat().st_mode & 0o005 == 0o005, path
    assert make(project).stdout == "make: Nothing to be done for 'ready'.\n"


def test_venv_without_pip_is_repaired(project, quick_python):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    assert not has_pip(project)

    done = make(project, quick_python)

    assert done.returncode == 0, done.stderr
    assert has_pip(project)


def test_failed_venv_names_missing_package(project, quick_python):
    python = project / "python-without-venv"
    python.write_text(PYTHON_WITHOUT_VENV)
    python.chmod(0o700)

    done = make(project, python)

    assert done.returncode == 2
    assert "no ensurepip" in done.stderr
    assert "install the package python3-venv" in done.stderr
    assert not (project / ".venv").exists()
    assert make(project, quick_python).returncode == 0
    assert has_pip(project)


def test_failed_installation_shows_end_of_log(project, quick_python):
    (project / "requirements.txt").write_text("not a requirement\n")

    done = make(project, quick_python)

    assert done.returncode == 2
    assert "Invalid requirement: 'not a requirement'" in done.stderr
    assert len(done.stderr.splitlines()) < 20
    (project / "requirements.txt").write_text("")
    assert make(project, quick_python).returncode == 0
