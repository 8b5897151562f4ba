"""Boot a machine and take all steps, in the namespaces that dev.systemd made."""

import subprocess
import sys
import time
from pathlib import Path

import requests

from dev.mailbox import Mailbox
from dev.site_client import UnexpectedResponse
from dev.stack import Child

from . import journal
from .machine import Machine, MachineError, wait_until
from .site import Site
from .steps import STEPS, Step

MAX_LINES = 50
FAILURES = (
    MachineError,
    UnexpectedResponse,
    requests.RequestException,
    subprocess.SubprocessError,
    TimeoutError,
)


def start_mail_server(memory: Path) -> Mailbox:
    """Start a mail server on port 25 of the machine's network, and return its mailbox."""
    mailbox = Mailbox(memory / "mail")
    log = memory / "mail.log"
    command = [
        sys.executable,
        "-m",
        "dev.mail_server",
        "--port",
        "25",
        "--dir",
        str(mailbox.folder),
    ]
    Child("mail", command, {}, log)
    wait_until(lambda: b"Mail server on" in log.read_bytes(), "the mail server runs")
    return mailbox


def take(step: Step, site: Site) -> bool:
    """Take a step, print one line about it, and return whether it passed."""
    began, cursor = time.monotonic(), ""
    try:
        site.machine.ensure_running()
        cursor = site.machine.journal_cursor()
        outcome = step.run(site)
        if unexpected := journal.errors(site.machine.journal(cursor), step.provokes):
            raise MachineError(f"{len(unexpected)} errors in the journal: {unexpected[0]}")
    except FAILURES as error:
        print(f"FAILED {time.monotonic() - began:5.1f} s  {step.title}: {error}\n", flush=True)
        print_journal(site.machine, cursor)
        return False
    print(f"ok     {time.monotonic() - began:5.1f} s  {step.title}: {outcome}", flush=True)
    return True


def print_journal(machine: Machine, cursor: str) -> None:
    """Print the entries since `cursor`, without requests: all errors, and the newest others."""
    try:
        machine.ensure_running()
        entries = [entry for entry in machine.journal(cursor) if not entry.is_access]
    except (MachineError, subprocess.SubprocessError) as error:
        print(f"The machine does not show its journal: {error}")
        return
    shown = [entry for entry in entries[:-MAX_LINES] if entry.is_error] + entries[-MAX_LINES:]
    print(f"The machine's journal, {len(shown)} of {len(entries)} lines of this step:")
    for entry in shown:
        print(f"  {'*' if entry.is_error else ' '} {entry}")


def main(memory: Path) -> int:
    began = time.monotonic()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    machine = Machine(memory)
    subprocess.run(["mount", "--bind", machine.path("/etc/hosts"), "/etc/hosts"], check=True)
    site = Site(machine, start_mail_server(memory))
    machine.boot()
    print(f"ok     {time.monotonic() - began:5.1f} s  boot", flush=True)
    failed = []
    for step in STEPS:
        if not take(step, site):
            failed.append(step.title)
            if step.is_needed:
                break
    seconds = time.monotonic() - began
    if failed:
        print(f"Failed after {seconds:.0f} s: {', '.join(failed)}.")
        return 1
    print(f"All {len(STEPS)} steps passed in {seconds:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
