"""`make chaos`: the whole suite. `python -m dev.chaos --help` has the options."""

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

from .databases import OURS, Database, Postgres, SQLite

FULL_LEASE = 20.0
SABOTAGES = ("lease", "fence", "sweeper")


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m dev.chaos", description="Break everything; lose nothing."
    )
    parser.add_argument("--database", choices=("sqlite", "postgres"), help="only that one")
    parser.add_argument(
        "--kills",
        type=int,
        default=int(os.environ.get("CHAOS_KILLS") or 60),
        help="faults in a run",
    )
    full = int(os.environ.get("CHAOS_FULL") or 20)
    parser.add_argument(
        "--full", type=int, default=full, help="faults in a further run, at full lease"
    )
    parser.add_argument(
        "--seed", type=int, default=None, help="repeat a run: the same faults in the same order"
    )
    parser.add_argument("--lease", type=float, default=4, help="seconds; a tick is a quarter of it")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="only these kinds of fault")
    parser.add_argument(
        "--without", choices=SABOTAGES, help="take a protection away: the suite must fail"
    )
    parser.add_argument("--accounts", type=int, default=32, help="people who keep asking")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and mails")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    end_on_signals()
    chosen = options(arguments)
    if chosen.seed is None:
        chosen.seed = random.SystemRandom().randrange(1_000_000)
    try:
        if chosen.database is None:
            return both(chosen, arguments)
        return one(chosen)
    except KeyboardInterrupt:
        print("\nInterrupted; everything is stopped.", flush=True)
        return 130


def again(*arguments: str) -> int:
    """Run this module anew: Django takes one database a process. Ctrl-C reaches it too, and it is waited for."""
    process = subprocess.Popen([sys.executable, "-m", "dev.chaos", *arguments])
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait()
        raise


def both(chosen: argparse.Namespace, arguments: list[str]) -> int:
    given = [*arguments, "--seed", str(chosen.seed)]
    codes = []
    for database in ("sqlite", "postgres"):
        codes.append(again(*given, "--database", database))
        if chosen.full:
            full = ["--kills", str(chosen.full), "--lease", str(FULL_LEASE)]
            codes.append(again(*given, "--database", database, *full))
    return max(codes)


def one(chosen: argparse.Namespace) -> int:
    """A run on one database, from nothing to the table; 0 if every promise was kept."""
    var = Path(tempfile.mkdtemp(prefix="microblog-chaos-"))
    database = (Postgres if chosen.database == Postgres.name else SQLite).make(var)
    try:
        set_up_django(var, database.url)
        return judged(var, database, chosen)
    finally:
        database.stop()
        if chosen.keep:
            print(f"Logs and mails: {var}")
        else:
            shutil.rmtree(var, ignore_errors=True)


def set_up_django(var: Path, database_url: str) -> None:
    """Let this process use the run's database, under a name that is spared when connections are cut."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "microblog.settings",
        "VAR_DIR": str(var),
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DEBUG": "false",
        "PGAPPNAME": OURS,
    }
    django.setup()


def judged(var: Path, database: Database, chosen: argparse.Namespace) -> int:
    # Models cannot be imported before Django is set up.
    from . import report
    from .faults import chosen as chosen_kinds
    from .run import Run
    from .world import World

    kinds = chosen_kinds(database.name, chosen.only)
    again_with = f"--database {database.name} --kills {chosen.kills} --lease {chosen.lease:g} --seed {chosen.seed}"
    print(f"\nFaults on {database.name}: {again_with}", flush=True)
    began = time.monotonic()
    with World(var, database, lease=chosen.lease, without=chosen.without or "") as world:
        run = Run(world, chosen.seed, lambda text: print(text, flush=True))
        verdict = run.go(chosen.kills, kinds, chosen.accounts)
        lines = [
            *report.lines(world, run.injections, verdict, run.watcher),
            *report.details(verdict),
        ]
    reasons = list(report.faults_of_the_run(run.injections, verdict, run.planned))
    print("\n".join(lines))
    print(
        f"\n{database.name}, {time.monotonic() - began:.0f} s: {'; '.join(reasons) or 'every promise was kept'}"
    )
    if reasons:
        print(f"To repeat it: python -m dev.chaos {again_with}", flush=True)
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
