"""Run Django's deployment checks in a production-like environment. Any warning fails."""

import os
import secrets
import subprocess
import sys
import tempfile

from dev.stack import ROOT, manage


def main() -> int:
    with tempfile.TemporaryDirectory() as var:
        env = os.environ | {
            "DEBUG": "false",
            "HTTPS": "true",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "SITE_URL": "https://microblog.example",
            "ALLOWED_HOSTS": "microblog.example",
            "VAR_DIR": var,
        }
        return subprocess.run(
            manage("check", "--deploy", "--fail-level", "WARNING"), cwd=ROOT, env=env, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
