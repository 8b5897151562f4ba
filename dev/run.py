"""`make run`: the site with all its services over var/, until Ctrl-C.

The environment comes from `.env` as for `manage.py`, so that `manage.py` uses the same database and
broker.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import django
from honcho.manager import Manager

from dev import broker
from dev.stack import ROOT, commands, free_port, kill_session, manage

PORT = 8000
DEMO_ACCOUNTS = "demo, empty or staff (password: microblog-demo)"


class StackManager(Manager):
    """Manager that remembers in `exited` the process that exited first, by itself."""

    exited = ""

    def terminate(self) -> None:
        if not self._terminating:
            for name, process in self._processes.items():
                code = process.get("returncode")
                if code is not None and not self.exited:
                    # Popen reports a signal as its negative number, a shell as 128 + its number.
                    exit_code = 128 - code if code < 0 else code
                    self.exited = f"`{name}` process exited (code {exit_code})"
        super().terminate()

    def kill_remaining(self) -> None:
        """Kill the processes that honcho's signals do not reach.

        A work-horse has a process group of its own.
        """
        for process in self._processes.values():
            if "pid" in process:
                kill_session(process["pid"])


def site_port() -> int:
    """Return 8000, so that the address stays the same, or another port if 8000 is in use."""
    try:
        with socket.create_server(("127.0.0.1", PORT)):
            return PORT
    except OSError:
        return free_port()


def environment() -> dict[str, str]:
    """Return the environment with the settings' values and free ports for the stack."""
    django.setup()
    from django.conf import settings

    port = site_port()
    return os.environ | {
        "PYTHONUNBUFFERED": "1",
        "VAR_DIR": str(settings.VAR_DIR),
        "MAIL_DIR": str(settings.VAR_DIR / "mail"),
        "REDIS_URL": settings.REDIS_URL,
        "EMAIL_URL": f"smtp://127.0.0.1:{free_port()}",
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "SITE_URL": f"http://localhost:{port}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
    }


def is_running(env: dict[str, str]) -> bool:
    url = env["REDIS_URL"]
    return broker.socket_from_url(url) is not None and broker.is_ready(url)


def prepare(env: dict[str, str]) -> None:
    """Migrate the database, and add the demo data to a new one."""
    from blog.models import User

    print("Preparing the database ...", flush=True)
    subprocess.run(manage("migrate", "--verbosity", "0"), cwd=ROOT, env=env, check=True)
    if not User.objects.exists():
        subprocess.run(manage("seed_demo"), cwd=ROOT, env=env, check=True)


def process_commands(env: dict[str, str]) -> dict[str, list[str]]:
    """Return the stack's commands, without a broker if REDIS_URL names one on the network."""
    chosen = commands(env)
    if broker.socket_from_url(env["REDIS_URL"]) is None:
        del chosen["broker"]
        chosen["worker"] = manage("rqworker")
    return chosen


def run(env: dict[str, str]) -> int:
    """Run until Ctrl-C or until a process exits. Return the exit code: 0 after Ctrl-C, else 1."""
    manager = StackManager()
    for name, command in process_commands(env).items():
        manager.add_process(name, f"exec {shlex.join(command)}", env=env, cwd=str(ROOT))
    # honcho handles Ctrl-C and SIGTERM only; a closed terminal would leave the stack running.
    signal.signal(signal.SIGHUP, lambda signum, frame: os.kill(os.getpid(), signal.SIGTERM))
    try:
        manager.loop()
    finally:
        manager.kill_remaining()
    if manager.exited:
        print(f"Stopped: the {manager.exited}. See its output above.")
        return 1
    print("Stopped.")
    return 0


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "microblog.settings")
    env = environment()
    if is_running(env):
        print(f"Already running with {env['VAR_DIR']}. Stop it first (Ctrl-C in its terminal).")
        return 1
    Path(env["MAIL_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        prepare(env)
    except subprocess.CalledProcessError as error:
        print(f"`{shlex.join(error.cmd)}` failed.")
        return 1
    print(
        f"\n  Microblog:  {env['SITE_URL']}\n  Sign in as: {DEMO_ACCOUNTS}\n"
        f"  Emails:     {env['MAIL_DIR']}\n",
        flush=True,
    )
    return run(env)


if __name__ == "__main__":
    sys.exit(main())
