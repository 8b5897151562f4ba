import subprocess
import sys

from dev.stack import ROOT


def run_check(
    first_release: str = "check_upgrades.FIRST_RELEASE",
) -> subprocess.CompletedProcess[str]:
    """Run the check as if the first release had contained these migrations."""
    code = f"from dev import check_upgrades; check_upgrades.FIRST_RELEASE = {first_release}; "
    code += "raise SystemExit(check_upgrades.main())"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_existing_migrations_pass():
    done = run_check()
    assert (done.returncode, done.stdout) == (0, "")


def test_new_column_without_database_default_is_found():
    """Treat the migration that added the users' time zone as later than the first release."""
    done = run_check('["0002_account_mails", "0003_following", "0004_post_edited_at"]')
    assert done.returncode == 1
    assert "(blog, 0005_person_time_zone)... ERR" in done.stdout
    assert "NOT NULL constraint" in done.stdout
    assert "Upgrades in docs/operations.md" in done.stdout
