"""A production-like installation of the site in a temporary folder, with demo posts, for a benchmark to use up."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

BASE_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Installation:
    folder: Path
    database_url: str = ""
    """SQLite in that folder where it is empty."""

    @property
    def database(self) -> Path:
        return self.folder / "db.sqlite3"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "microblog.settings",
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "VAR_DIR": str(self.folder),
            "DATABASE_URL": self.database_url or f"sqlite:///{self.database}",
            "EXPORT_MAX_RATE": "0",
        }

    def python(self, *arguments: str) -> str:
        """What Python prints when it runs with these arguments in this installation's environment."""
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=BASE_DIR, env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    def peak_memory(self, *arguments: str) -> int:
        """The most memory, in bytes, that `python` with these arguments holds at a time."""
        command = [sys.executable, *arguments]
        process = subprocess.Popen(
            command, cwd=BASE_DIR, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def installation(posts: int) -> Iterator[Installation]:
    """An installation where `demo` has written that many posts."""
    with TemporaryDirectory(prefix="microblog-bench-") as folder:
        place = Installation(Path(folder))
        place.python("manage.py", "migrate", "--verbosity=0")
        place.python("manage.py", "seed_demo", "--users=1", f"--posts={posts}", "--force")
        yield place
