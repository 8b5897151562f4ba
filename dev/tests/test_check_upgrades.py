import subprocess
import sys

from dev.stack import ROOT


def check(first_release: str = "check_upgrades.FIRST_RELEASE") -> subprocess.CompletedProcess[str]:
    """The check, as if the first release had come with these migrations."""
    code = f"from dev import check_upgrades; check_upgrades.FIRST_RELEASE = {first_release}; "
    code += "raise SystemExit(check_upgrades.main())"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_migrations_that_are_there_pass():
    done = check()
    assert (done.returncode, done.stdout) == (0, "")


def test_a_column_that_an_older_version_cannot_fill_is_found():
    """As in the migration that gave people a time zone, had it come after the first release."""
    done = check('["0002_account_mails", "0003_following", "0004_post_edited_at"]')
    assert done.returncode == 1
    assert "(blog, 0005_person_time_zone)... ERR" in done.stdout
    assert "NOT NULL constraint" in done.stdout
    assert "Upgrades in docs/operations.md" in done.stdout
