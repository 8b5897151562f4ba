"""Check that the running version can work with the tables of the next version.

An upgrade migrates before it switches to the new code, and a rollback does not migrate. So a new
column needs a default in the database, and nothing that the older version uses may be removed or
renamed. docs/operations.md has the rules for migrations.
"""

import argparse
import os
import secrets
import sys
import tempfile

import django

APPS = ["tasks", "staff", "blog", "exports", "imports"]
# No version ran before these migrations, because the first release contains them.
FIRST_RELEASE = [
    "0002_account_mails",
    "0003_following",
    "0004_post_edited_at",
    "0005_person_time_zone",
    "0007_hidden_posts",
    "0008_notification_causes",
    "0011_notification_mails",
    "0003_mail_bounces",
    "0016_notification_is_listed",
    "0017_mail_outbox",
    "0018_account_deletion",
    "0020_imported_posts",
    "0006_durable_tasks",
    "0007_move_self_test",
]


def main() -> int:
    with tempfile.TemporaryDirectory() as var:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "microblog.settings",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "VAR_DIR": var,
            "DATABASE_URL": "sqlite://:memory:",
            "LOG_LEVEL": "WARNING",
        }
        django.setup()
        from django_migration_linter import MigrationLinter

        linter = MigrationLinter(
            include_apps=APPS,
            ignore_name=FIRST_RELEASE,
            ignore_initial_migrations=True,
            no_cache=True,
            quiet=["ignore", "ok"],
        )
        linter.lint_all_migrations()
    if linter.has_errors:
        print(
            "The previous version cannot run on these tables; see Upgrades in docs/operations.md."
        )
        return 1
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # accepts no arguments
    sys.exit(main())
