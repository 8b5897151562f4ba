"""`make run`: the local stack over var/, kept running for a browser.

It takes its environment as `manage.py` does, so that a bare `manage.py` beside it finds the same database and broker.
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
SIGN_INS = "demo, empty or staff; the password of each is microblog-demo"


class StackManager(Manager):  # type: ignore[misc]
    """honcho's, which also remembers which process ended first, by itself."""

    ended = ""

    def terminate(self) -> None:
        if not self._terminating:
            stopped = [
                name
                for name, process in self._processes.items()
                if process.get("returncode") is not None
            ]
            self.ended = next(iter(stopped), "")
        super().terminate()

    def kill_rest(self) -> None:
        """A work-horse has a process group of its own, which honcho's signals do not reach."""
        for process in self._processes.values():
            if "pid" in process:
                kill_session(process["pid"])


def site_port() -> int:
    """8000 if it is free, so that the address stays the same; another one otherwise."""
    try:
        with socket.create_server(("127.0.0.1", PORT)):
            return PORT
    except OSError:
        return free_port()


def environment() -> dict[str, str]:
    """What the settings made of `.env` and the environment, and free ports for what the stack adds."""
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
    return broker.socket_of(url) is not None and broker.answers(url)


def prepare(env: dict[str, str]) -> None:
    """Bring the database up to date; demo people come into a new one only."""
    from blog.models import User

    print("Preparing the database ...", flush=True)
    subprocess.run(manage("migrate", "--verbosity", "0"), cwd=ROOT, env=env, check=True)
    if not User.objects.exists():
        subprocess.run(manage("seed_demo"), cwd=ROOT, env=env, check=True)


def processes(env: dict[str, str]) -> dict[str, list[str]]:
    """Those of the stack; no broker where REDIS_URL names one on the network."""
    chosen = commands(env)
    if broker.socket_of(env["REDIS_URL"]) is None:
        del chosen["broker"]
        chosen["worker"] = manage("rqworker")
    return chosen


def run(env: dict[str, str]) -> int:
    """Run until Ctrl-C, which is a good end, or until a process ends, which is not."""
    manager = StackManager()
    for name, command in processes(env).items():
        manager.add_process(name, f"exec {shlex.join(command)}", env=env, cwd=str(ROOT))
    # honcho knows Ctrl-C and SIGTERM; a closed terminal would otherwise leave the stack behind.
    signal.signal(signal.SIGHUP, lambda signum, frame: os.kill(os.getpid(), signal.SIGTERM))
    try:
        manager.loop()
    finally:
        manager.kill_rest()
    if manager.ended:
        print(
            f"The stack has ended because its process `{manager.ended}` did; its last lines are above."
        )
        return 1
    print("The stack has ended.")
    return 0


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "microblog.settings")
    env = environment()
    if is_running(env):
        print(
            f"A stack over {env['VAR_DIR']} is running already. End it first, with Ctrl-C in its terminal."
        )
        return 1
    Path(env["MAIL_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        prepare(env)
    except subprocess.CalledProcessError as error:
        print(f"`{shlex.join(error.cmd)}` failed.")
        return 1
    print(
        f"\n  Microblog:  {env['SITE_URL']}\n  Sign in as: {SIGN_INS}\n  Mails:      {env['MAIL_DIR']}\n",
        flush=True,
    )
    return run(env)


if __name__ == "__main__":
    sys.exit(main())
