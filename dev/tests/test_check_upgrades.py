import os
import subprocess
import sys

from dev.stack import ROOT

CHECK = (
    "from dev import check_upgrades; check_upgrades.FIRST_RELEASE = {names!r}; raise SystemExit(check_upgrades.main())"
)


def check(names: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHECK.format(names=names)]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_the_migrations_that_are_there_pass():
    done = subprocess.run([sys.executable, "-m", "dev.check_upgrades"], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_a_column_that_an_older_version_cannot_fill_is_found():
    """As in the migration that gave people a time zone, had it come after the first release."""
    done = check(["0002_account_mails", "0003_following", "0004_post_edited_at"])
    assert done.returncode == 1
    assert "(blog, 0005_person_time_zone)... ERR" in done.stdout
    assert "NOT NULL constraint" in done.stdout
    assert "Upgrades in docs/operations.md" in done.stdout
