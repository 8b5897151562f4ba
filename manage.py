#!/usr/bin/env python
"""Django's command-line utility for Microblog."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "microblog.settings")
    try:
        from django.core.management import execute_from_command_line

        from microblog.environment import InvalidVariable
    except ImportError as error:
        raise ImportError(
            "Django is not installed. Run `make demo` once, then use .venv/bin/python."
        ) from error
    try:
        execute_from_command_line(sys.argv)
    except InvalidVariable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
