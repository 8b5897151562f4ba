"""A machine that systemd boots: systemd-nspawn over a Debian whose changes are kept in memory."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from dev.stack import ROOT, die_with_parent

from .debian import CACHE, DEBIAN, WHEELS
from .journal import Entry, parse

SOURCE = "/usr/local/src/microblog"
BOOT_SECONDS = 120
STOP_SECONDS = 180  # a worker finishes its build first
REBOOT = 133  # exit status of systemd-nspawn with --keep-unit
# What needs the network or a person. The packages are there, and so is the code.
STAND_INS = {
    "apt-get": 'shift 2 && exec dpkg-query --show "$@" >/dev/null',
    "git": "case $1 in clone | pull) ;; *) exit 1 ;; esac",
    "editor": 'exec sed --in-place --file "/usr/local/share/$(basename "$1").sed" "$1"',
}


class MachineError(Exception):
    """A command failed, or a condition did not come true in time."""


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Poll until the condition is true. Raises MachineError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise MachineError(f"After {seconds:g} seconds still not: {what}.")
        time.sleep(0.2)


def mount(folder: Path, *options: str, cwd: Path = ROOT) -> None:
    """Create a folder if it is missing, and mount there what the options say."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *options, str(folder)], cwd=cwd, check=True)


class Machine:
    """Machine whose files are `root`, a folder in `memory`. It shares the caller's network.

    Needs a mount namespace of its own, with which all of it ends.
    """

    def __init__(self, memory: Path) -> None:
        mount(memory, "-t", "tmpfs", "tmpfs")
        for name in ("changes", "work"):
            (memory / name).mkdir()
        self.root = memory / "root"
        # Relative paths, because a comma or colon in the path of the project would be misread.
        layers = f"lowerdir={DEBIAN.name},upperdir={memory.name}/changes,workdir={memory.name}/work"
        mount(self.root, "-t", "overlay", "-o", layers, "overlay", cwd=CACHE)
        mount(self.root / "opt" / "wheels", "-o", "bind,ro", str(WHEELS))
        # systemd-nspawn does not clean up this folder.
        mount(Path("/run/systemd/nspawn"), "-t", "tmpfs", "tmpfs")
        self._console = memory / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._prepare()

    def _prepare(self) -> None:
        self.write("/etc/hostname", "microblog\n")
        self.write("/etc/hosts", "127.0.0.1 localhost microblog.test\n::1 localhost\n")
        self.write("/var/log/journal/.keep", "")  # keeps the journal over a reboot
        for name, script in STAND_INS.items():
            self.write(f"/usr/local/bin/{name}", f"#!/bin/sh\n{script}\n", mode=0o755)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).exists():
                path = self.path(f"{SOURCE}/{name}")
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, path)

    def path(self, name: str) -> Path:
        """Return the path of the machine's file `name`, which is absolute, outside of it."""
        return self.root / name.removeprefix("/")

    def write(self, name: str, text: str, *, mode: int = 0o644) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def boot(self) -> None:
        """Start the machine and wait until systemd has started everything."""
        command = [
            *("systemd-nspawn", "--quiet", "--boot", "--directory", str(self.root)),
            *("--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"),
            "--capability=CAP_NET_ADMIN",  # for units with PrivateNetwork and IPAddressDeny
            *("--resolv-conf=off", "--timezone=off"),
        ]
        with self._console.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        try:
            wait_until(self._find_init, "systemd has started", BOOT_SECONDS)
            wait_until(self._is_running, "the machine has booted", BOOT_SECONDS)
        except MachineError as error:
            end = self._console.read_text(errors="replace")[-2000:]
            raise MachineError(f"{error}\nIts console:\n{end}") from error

    def _find_init(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise MachineError("systemd-nspawn has ended.")
        for child in psutil.Process(self._process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if child.name() == "systemd":
                    self._init = child.pid
        return self._init > 0

    def _is_running(self) -> bool:
        state = self._enter("systemctl is-system-running 2>&1").stdout.strip()
        if state == "degraded":
            failed = self._enter("systemctl --failed --no-legend --plain").stdout
            raise MachineError(f"Units failed at boot:\n{failed}")
        return state == "running"

    def ensure_running(self) -> None:
        """Boot the machine if a step has left it switched off."""
        if not self._init:
            self.boot()

    def start(self, script: str) -> subprocess.Popen[str]:
        """Start a shell script as root, in the folder of the source, and return its process."""
        return subprocess.Popen(
            self._command(script),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
        )

    def run(self, script: str) -> str:
        """Run a shell script as root, in the folder of the source, and return its output.

        Raises MachineError with the end of the output if it fails.
        """
        done = self._enter(script)
        if done.returncode:
            raise MachineError(f"Exit status {done.returncode}:\n{script}\n{done.stdout[-3000:]}")
        return done.stdout

    def _enter(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(script),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
            check=False,
        )

    def _command(self, script: str) -> list[str]:
        return [
            *("nsenter", "--target", str(self._init), "--mount", "--uts", "--ipc", "--pid"),
            *("--cgroup", "--root", "--wd", "sh", "-euc", f"cd {SOURCE}\n{script}"),
        ]

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "/opt/wheels",
        }

    def end_for_reboot(self) -> None:
        """Reboot as operators do, as far as the moment before the machine boots again."""
        self._enter("systemctl reboot")
        self._wait(STOP_SECONDS, expected=REBOOT)

    def cut_power(self) -> None:
        """Kill all processes at once."""
        os.kill(self._init, signal.SIGKILL)
        self._wait(STOP_SECONDS)

    def stop(self) -> None:
        """Kill the machine, if it runs."""
        if self._process and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self._init or self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _wait(self, seconds: float, expected: int | None = None) -> None:
        assert self._process
        try:
            status = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"The machine still runs after {seconds:g} seconds.") from error
        self._init = 0
        if expected not in (None, status):
            raise MachineError(f"systemd-nspawn ended with {status}, not {expected}.")

    def journal_cursor(self) -> str:
        """Return the place of the journal's newest entry."""
        output = self.run("journalctl --lines 0 --show-cursor --quiet")
        return output.partition("-- cursor: ")[2].strip()

    def journal(self, cursor: str) -> list[Entry]:
        """Return the entries after a cursor, of all boots."""
        # Without --all, messages of more than 4096 bytes are left out.
        command = f"journalctl --quiet --all --output json --after-cursor '{cursor}'"
        return list(parse(self.run(command)))
