"""`make systemd-test`: the steps of docs/deployment.md on a Debian that systemd boots.

Needs root. The machine lives in namespaces of its own: its network has no connection to the
outside, its processes and mounts end with this process, and its files are in memory.
"""

import argparse
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from dev.stack import ROOT, die_with_parent, end_on_signals, signals_blocked

from . import control_groups, debian

PROGRAMS = ("debootstrap", "ip", "mount", "nsenter", "systemd-nspawn", "unshare")
NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def find_problem() -> str:
    """Return why the test cannot run, and what helps; an empty string if it can."""
    if os.geteuid():
        return "This test boots a machine, so it needs root: sudo make systemd-test"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"Not installed: {', '.join(missing)}. Run `make tools`."
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "The kernel has no overlay file system: run `modprobe overlay`."
    return ""


def run_in_namespaces() -> int:
    """Run dev.systemd.run, and end everything that it started, also when this is interrupted."""
    name = f"microblog-systemd-{os.getpid()}"
    memory = debian.CACHE / name  # other namespaces see an empty folder
    command = [*control_groups.scope(), *NAMESPACES, sys.executable, "-m", "dev.systemd.run"]

    def before_exec() -> None:
        die_with_parent()
        control_groups.join(groups)

    with control_groups.new_groups(name) as groups:
        process = subprocess.Popen(
            [*command, str(memory)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=before_exec,
        )
        try:
            return process.wait()
        finally:
            with signals_blocked():
                process.kill()
                process.wait()
                with suppress(FileNotFoundError):
                    memory.rmdir()


def main() -> int:
    end_on_signals()
    if problem := find_problem():
        print(problem, file=sys.stderr)
        return 1
    try:
        debian.prepare()
        return run_in_namespaces()
    except debian.CannotPrepare as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the machine is gone.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # accepts no arguments
    sys.exit(main())
