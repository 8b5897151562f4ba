"""`make chaos`: the whole suite. `python -m dev.chaos --help` lists the options."""

import argparse
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django

from dev.stack import end_on_signals

from .databases import SUITE_APPLICATION_NAME, Database, Postgres, SQLite

FULL_LEASE_SECONDS = 20.0
PROTECTIONS = ("lease", "fence", "sweeper", "guard")


def parse_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m dev.chaos",
        description="Inject faults while many users export, and check every outcome.",
    )
    parser.add_argument(
        "--database", choices=("sqlite", "postgres"), help="run on this database only"
    )
    parser.add_argument(
        "--kills",
        type=int,
        default=int(os.environ.get("CHAOS_KILLS") or 60),
        help="number of faults in a run (default: %(default)s)",
    )
    parser.add_argument(
        "--full",
        type=int,
        default=int(os.environ.get("CHAOS_FULL") or 20),
        help="number of faults in a second run with the product's lease (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=None, help="seed of an earlier run, to repeat its faults"
    )
    parser.add_argument(
        "--lease",
        type=float,
        default=4,
        help="lease in seconds; a tick is a quarter of it (default: %(default)s)",
    )
    parser.add_argument("--only", nargs="+", metavar="FAULT", help="inject only these faults")
    parser.add_argument(
        "--without",
        choices=PROTECTIONS,
        help="disable a protection of the product: the suite must fail",
    )
    parser.add_argument(
        "--accounts",
        type=int,
        default=32,
        help="number of accounts that request exports (default: %(default)s)",
    )
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and mails")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    end_on_signals()
    options = parse_options(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    try:
        if options.database is None:
            return run_all_databases(options, arguments)
        return run_one_database(options)
    except KeyboardInterrupt:
        print("\nInterrupted; everything is stopped.", flush=True)
        return 130


def run_all_databases(options: argparse.Namespace, arguments: list[str]) -> int:
    common = [*arguments, "--seed", str(options.seed)]
    exit_codes = []
    for database in ("sqlite", "postgres"):
        exit_codes.append(run_in_subprocess(*common, "--database", database))
        if options.full:
            full = ["--kills", str(options.full), "--lease", str(FULL_LEASE_SECONDS)]
            exit_codes.append(run_in_subprocess(*common, "--database", database, *full))
    return max(exit_codes)


def run_in_subprocess(*arguments: str) -> int:
    """Run this module in a new process and wait for it, also after Ctrl-C.

    A Django process can be set up for one database only.
    """
    process = subprocess.Popen([sys.executable, "-m", "dev.chaos", *arguments])
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait()
        raise


def run_one_database(options: argparse.Namespace) -> int:
    """Create the database, run and print the report. Return 0 if every promise was kept."""
    var = Path(tempfile.mkdtemp(prefix="microblog-chaos-"))
    database = (Postgres if options.database == Postgres.name else SQLite).create(var)
    try:
        set_up_django(var, database.url)
        return run_and_report(var, database, options)
    finally:
        database.stop()
        if options.keep:
            print(f"Logs and mails: {var}")
        else:
            shutil.rmtree(var, ignore_errors=True)


def set_up_django(var: Path, database_url: str) -> None:
    """Set up this process for the run's database.

    The application name exempts its connections from the faults.
    """
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "microblog.settings",
        "VAR_DIR": str(var),
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DEBUG": "false",
        "PGAPPNAME": SUITE_APPLICATION_NAME,
    }
    django.setup()


def run_and_report(var: Path, database: Database, options: argparse.Namespace) -> int:
    # Models can be imported only after Django is set up.
    from . import report
    from .faults import select_kinds
    from .harness import Harness
    from .run import Run

    kinds = select_kinds(database.name, options.only)
    repeat_options = (
        f"--database {database.name} --kills {options.kills} "
        f"--lease {options.lease:g} --seed {options.seed}"
    )
    print(f"\nFaults on {database.name}: {repeat_options}", flush=True)
    started = time.monotonic()
    with Harness(var, database, lease=options.lease, without=options.without or "") as harness:
        run = Run(harness, options.seed, print_line)
        verdict = run.execute(options.kills, kinds, options.accounts)
        lines = [
            *report.table_lines(harness, run.injections, verdict, run.watcher),
            *report.detail_lines(verdict),
        ]
    reasons = list(report.failure_reasons(run.injections, verdict, run.planned))
    print("\n".join(lines))
    result = "; ".join(reasons) or "every promise was kept"
    print(f"\n{database.name}, {time.monotonic() - started:.0f} s: {result}")
    if reasons:
        print(f"To repeat: python -m dev.chaos {repeat_options}", flush=True)
    return 1 if reasons else 0


def print_line(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
