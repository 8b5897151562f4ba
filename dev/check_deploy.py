"""Run Django's deployment checks in a production-like environment. Any warning fails."""

import argparse
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
            "SITE_URL": "https://microblog.test",
            "ALLOWED_HOSTS": "microblog.test",
            "VAR_DIR": var,
            "REDIS_URL": "rediss://:password@broker.test",
            "EMAIL_URL": "smtp+tls://user:password@mail.test",
            "ADMINS": "operators@microblog.test",
            "SECURITY_CONTACT": "security@microblog.test",
        }
        return subprocess.run(
            manage("check", "--deploy", "--fail-level", "WARNING"), cwd=ROOT, env=env, check=False
        ).returncode


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # accepts no arguments
    sys.exit(main())
