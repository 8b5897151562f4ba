"""Test runner for `manage.py test`, which runs pytest."""

import subprocess
import sys
from argparse import ArgumentParser
from typing import Any


class PytestRunner:
    """Run pytest in a process of its own.

    `manage.py` has already loaded the settings of this installation; the tests need their own.
    """

    def __init__(self, *, database: str, failfast: bool, **options: Any) -> None:
        self.database = database
        self.failfast = failfast

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
        parser.add_argument("--failfast", action="store_true", help="stop at the first failure")

    def run_tests(self, test_labels: list[str], **options: Any) -> int:
        """Run the tests at these paths, or all tests; return 0 if they pass."""
        command = [sys.executable, "-m", "pytest", "--database", self.database, *test_labels]
        if self.failfast:
            command.append("--exitfirst")
        return subprocess.run(command, check=False).returncode
