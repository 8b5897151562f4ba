"""Control groups for a booted machine, on a host that systemd has not booted, such as a container.

systemd-nspawn makes its groups below that of its caller, and leaves them behind.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

IS_SYSTEMD_HOST = Path("/run/systemd/system").is_dir()
REMOVE_SECONDS = 10


def find_groups(mounts: str, membership: str) -> list[Path]:
    """Return this process's group in each hierarchy that systemd manages.

    `mounts` is the content of /proc/self/mounts, `membership` that of /proc/self/cgroup.
    """
    # Lines such as "9:name=systemd:/path" (version 1) and "0::/path" (version 2).
    paths = {
        name: path for _, name, path in (line.split(":", 2) for line in membership.split("\n"))
    }
    groups = []
    for line in mounts.splitlines():
        _, folder, kind, options, *_ = line.split(" ")
        name = "" if kind == "cgroup2" else "name=systemd"
        is_managed = kind == "cgroup2" or (kind == "cgroup" and name in options.split(","))
        if is_managed and name in paths:
            groups.append(Path(folder + paths[name]))
    return groups


@contextmanager
def new_groups(name: str) -> Iterator[list[Path]]:
    """Create a group below this process's in each hierarchy, and remove it with those below it.

    Their processes must have ended by then. On a host with systemd there are none: see `scope`.
    """
    if IS_SYSTEMD_HOST:
        yield []
        return
    mounts, membership = (Path(f"/proc/self/{file}").read_text() for file in ("mounts", "cgroup"))
    groups = [group / name for group in find_groups(mounts, membership.strip())]
    for group in groups:
        group.mkdir(exist_ok=True)
    try:
        yield groups
    finally:
        for group in groups:
            _remove(group)


def join(groups: list[Path]) -> None:
    """Move this process to the groups."""
    for group in groups:
        (group / "cgroup.procs").write_text("0")


def scope() -> list[str]:
    """Return the start of a command line that gets groups from systemd, if that manages them."""
    if not IS_SYSTEMD_HOST:
        return []
    return ["systemd-run", "--quiet", "--scope", "--property=Delegate=yes"]


def _remove(group: Path) -> None:
    deadline = time.monotonic() + REMOVE_SECONDS
    while group.exists() and time.monotonic() < deadline:
        for folder in sorted(filter(Path.is_dir, group.rglob("*")), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):  # a process is still ending
            group.rmdir()
        time.sleep(0.1)
