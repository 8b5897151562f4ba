"""What the machine is made of, kept in var/systemd/: a Debian, and the wheels for its Python.

The mirror comes from this machine's apt, the wheels from its pip.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dev.check_pins import Lock
from dev.stack import ROOT

SUITE = "bookworm"
# Those of docs/deployment.md, and what every Debian server has.
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssl",
    "python3-venv",
    "nginx",
    "redis-server",
    "postgresql",
)
CACHE = ROOT / "var" / "systemd"
DEBIAN = CACHE / "debian"
WHEELS = CACHE / "wheels"


class CannotPrepare(Exception):
    """The Debian or the wheels could not be made; the message says why and what helps."""


def prepare() -> None:
    """Make what is missing or made of other packages. Both have a file that lists its packages."""
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = " ".join((SUITE, *PACKAGES))
    if not _is_made_of(DEBIAN, content):
        print(f"Making a Debian in {DEBIAN.relative_to(ROOT)}/, about two minutes ...", flush=True)
        _bootstrap(DEBIAN)
        _list_packages(DEBIAN, content)
    content = "\n".join(pins(python_version(DEBIAN)))
    if not _is_made_of(WHEELS, content):
        print(f"Downloading wheels to {WHEELS.relative_to(ROOT)}/ ...", flush=True)
        _download_wheels(WHEELS, content)
        _list_packages(WHEELS, content)


def _packages_file(folder: Path) -> Path:
    return folder.with_suffix(".packages")


def _is_made_of(folder: Path, content: str) -> bool:
    path = _packages_file(folder)
    return folder.is_dir() and path.exists() and path.read_text() == content


def _list_packages(folder: Path, content: str) -> None:
    _packages_file(folder).write_text(content)


def _empty(folder: Path) -> None:
    _packages_file(folder).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _bootstrap(folder: Path) -> None:
    _empty(folder)
    log = CACHE / "debootstrap.log"
    folder.mkdir()
    # A namespace, because debootstrap mounts /proc in the folder, which must not remain there after
    # an interruption; and /mnt, because debootstrap understands no space in the folder's path.
    command = [
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("sh", "-c", 'mount --bind "$0" /mnt && exec debootstrap "$@"', str(folder)),
        *("--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, "/mnt", mirror()),
    ]
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise CannotPrepare(f"debootstrap failed; the end of {log.relative_to(ROOT)}:\n{end}")


def mirror() -> str:
    """Return the address of a Debian mirror: DEBIAN_MIRROR, or the one that apt uses here."""
    if address := os.environ.get("DEBIAN_MIRROR"):
        return address
    targets = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"),
            *("Created-By: Packages", "Origin: Debian", "Component: main"),
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    address = select_mirror(targets)
    if not address:
        raise CannotPrepare(
            "apt has no Debian mirror here: set DEBIAN_MIRROR to the address of one, or, if apt "
            "has not read its sources yet, run `apt-get update`."
        )
    return address


def select_mirror(targets: str) -> str:
    """Return the mirror of a release itself, not of its updates; an empty string without one.

    Each line holds an address and a codename, such as bookworm or bookworm-security.
    """
    for line in targets.splitlines():
        address, _, codename = line.rpartition(" ")
        if codename.isalpha():
            return address
    return ""


def python_version(debian: Path) -> str:
    command = [
        "chroot",
        str(debian),
        "python3",
        "-c",
        "import platform as p; print(p.python_version())",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def pins(python: str) -> list[str]:
    """Return the pinned packages that Python version `python` needs.

    pip would download those of the Python that it runs in.
    """
    versions = Lock([ROOT / "requirements.txt"], python).versions
    return [f"{name}=={version}" for name, version in versions.items()]


def _download_wheels(folder: Path, content: str) -> None:
    _empty(folder)
    python = python_version(DEBIAN)
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--only-binary=:all:", "--python-version", python, "--dest", str(folder)),
        *content.splitlines(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotPrepare(f"pip could not download the wheels:\n{done.stderr[-2000:]}")
