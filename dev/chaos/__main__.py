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
SABOTAGED_KINDS = {
    "lease": "kill_both",
    "fence": "freeze_building",
    "sweeper": "kill_both",
}


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.chaos", description="Break everything; lose nothing.")
    parser.add_argument("--database", choices=("sqlite", "postgres"), help="only that one")
    parser.add_argument("--kills", type=int, default=int(os.environ.get("CHAOS_KILLS") or 60), help="faults in a run")
    parser.add_argument(
        "--full", type=int, default=None, help="faults in a further run at full lease; default 20, 0 in a short run"
    )
    parser.add_argument("--seed", type=int, default=None, help="repeat a run: the same faults in the same order")
    parser.add_argument("--lease", type=float, default=4, help="seconds; a tick is a quarter of it")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="only these kinds of fault")
    parser.add_argument("--without", choices=SABOTAGES, help="take a protection away: the suite must fail")
    parser.add_argument("--self-check", action="store_true", help="show that it fails without each protection")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and mails")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    end_on_signals()
    chosen = options(arguments)
    if chosen.seed is None:
        chosen.seed = random.SystemRandom().randrange(1_000_000)
    try:
        if chosen.self_check:
            return self_check(chosen)
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
    full = 20 if chosen.full is None else chosen.full
    given = [*arguments, "--seed", str(chosen.seed)]
    codes = []
    for database in ("sqlite", "postgres"):
        codes.append(again(*given, "--database", database, "--full", "0"))
        if full:
            codes.append(again(*given, "--database", database, "--kills", str(full), "--lease", str(FULL_LEASE)))
    return max(codes)


def self_check(chosen: argparse.Namespace) -> int:
    """Each protection taken away, alone, must make the suite fail."""
    missed = []
    for without in SABOTAGES:
        kinds = SABOTAGED_KINDS[without]
        code = again(
            "--database",
            chosen.database or "sqlite",
            "--without",
            without,
            "--only",
            kinds,
            "--kills",
            "3",
            "--seed",
            str(chosen.seed),
        )
        print(f"Without the {without}: {'noticed' if code == 1 else 'NOT NOTICED'}", flush=True)
        if code != 1:
            missed.append(without)
    return 1 if missed else 0


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
        verdict = run.go(chosen.kills, kinds)
        lines = [*report.lines(world, run.injections, verdict, run.watcher), *report.details(verdict)]
    reasons = list(report.faults_of_the_run(run.injections, verdict, set(kinds)))
    print("\n".join(lines))
    print(f"\n{database.name}, {time.monotonic() - began:.0f} s: {'; '.join(reasons) or 'every promise was kept'}")
    if reasons:
        print(f"To repeat it: python -m dev.chaos {again_with}", flush=True)
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
