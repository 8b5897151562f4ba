"""The site of a booted machine as its users and operators see it."""

import json
import threading
import time
from collections import Counter

import requests

from dev.mailbox import Mail, Mailbox
from dev.site_client import SiteClient, UnexpectedResponse

from .machine import Machine, MachineError, wait_until

HOST = "microblog.test"
URL = f"https://{HOST}"
CERTIFICATE = f"/etc/letsencrypt/live/{HOST}"
OPERATORS = f"operators@{HOST}"
PASSWORD = "a walk beside the river"
# Posts per account, of which EXPORT_MAX_RATE allows a hundred a second.
ACCOUNTS = {"quick": 100, "medium": 1200, "long": 4000}
ROWS_PER_SECOND = 100
MAIL_SECONDS = 240


class Site:
    def __init__(self, machine: Machine, mailbox: Mailbox) -> None:
        self.machine = machine
        self.mailbox = mailbox
        self.clients: dict[str, SiteClient] = {}
        self.requested: Counter[str] = Counter()

    def new_client(self) -> SiteClient:
        client = SiteClient(URL)
        client.session.verify = str(self.machine.path(f"{CERTIFICATE}/fullchain.pem"))
        return client

    def client(self, name: str) -> SiteClient:
        """Return the client of an account, signed in once."""
        if name not in self.clients:
            client = self.new_client()
            client.sign_in(name, PASSWORD)
            self.clients[name] = client
        return self.clients[name]

    def is_ready(self) -> bool:
        try:
            with self.new_client() as client:
                return bool(client.get("/readyz").json()["ready"])
        except (UnexpectedResponse, requests.RequestException):
            return False

    def wait_until_ready(self) -> None:
        wait_until(self.is_ready, "/readyz says that the site is ready", 120)

    def set_environment(self, **variables: str) -> None:
        """Change variables of /etc/microblog/env, which the services read when they start."""
        path = "/etc/microblog/env"
        lines = self.machine.path(path).read_text().splitlines()
        kept = [line for line in lines if line.partition("=")[0] not in variables]
        changed = [f"{name}='{value}'" for name, value in variables.items()]
        self.machine.write(path, "\n".join([*kept, *changed, ""]), mode=0o600)

    def worker_lines(self, cursor: str) -> list[str]:
        """Return what the worker has logged since a place of the journal."""
        entries = self.machine.journal(cursor)
        return [str(entry) for entry in entries if entry.source == "microblog-worker@1.service"]

    def worker_release(self) -> str:
        """Return the name of the release that the worker runs in; empty if it does not run."""
        return self.machine.run(
            "pid=$(systemctl show --property MainPID --value microblog-worker@1)\n"
            'basename "$(readlink "/proc/$pid/cwd")"'
        ).strip()

    def current_release(self) -> str:
        return self.machine.run("basename $(readlink /srv/microblog/current)").strip()


class Export:
    """Export of a user, from the request to the mail."""

    def __init__(self, site: Site, account: str) -> None:
        self.site = site
        self.account = account
        self.address = f"{account}@example.com"
        self.client = site.client(account)
        self._last_mail = site.mailbox.newest_name()
        self._began = time.time_ns()
        self.task = self.client.request_export(account)
        site.requested[self.address] += 1

    def wait_until_running(self) -> None:
        """Wait until the progress bar has begun to move. Raises MachineError if it does not."""
        wait_until(lambda: self.progress() > 0, "the build has begun", 120)

    def check_unfinished(self) -> None:
        """Raise MachineError if the mail is here: then nothing was interrupted."""
        if self.mails():
            raise MachineError("The build ended too early for this step.")

    def progress(self) -> int:
        """Return the percentage that the owner's page shows."""
        for item in self.client.notifications()["notifications"]:
            if item["data"].get("task") == self.task:
                return int(item["data"]["value"])
        return 0

    def wait_for_mail(self) -> str:
        """Wait for the mail, compare its archive with the account, and return what happened.

        Raises MachineError if there is more than one mail, or if the archive is not complete.
        """
        self.site.mailbox.wait(self.address, after=self._last_mail, seconds=MAIL_SECONDS)
        mail = self._only_mail()
        self._check_archive(mail)
        arrived = int(mail.path.name.partition("-")[0])  # in nanoseconds
        seconds = (arrived - self._began) / 1e9
        return f"one mail with {ACCOUNTS[self.account]:,} posts, {seconds:.0f} s after the request"

    def mails(self) -> list[Mail]:
        """Return the mails to the owner since the request."""
        return self.site.mailbox.mails(self.address, self._last_mail)

    def _only_mail(self) -> Mail:
        mails = self.mails()
        if len(mails) != 1:
            raise MachineError(f"{len(mails)} mails to {self.address} instead of one.")
        return mails[0]

    def _check_archive(self, mail: Mail) -> None:
        attachment = mail.attachment("posts.json")
        if attachment is None:
            raise MachineError(f"{mail.path} has no posts.json.")
        posts = json.loads(attachment.get_content())["posts"]
        found = len({post["body"] for post in posts})
        if (found, len(posts)) != (ACCOUNTS[self.account],) * 2:
            raise MachineError(f"{len(posts)} posts, {found} of them different.")


class Visitors(threading.Thread):
    """Requests of a page, one after the other, that must all succeed while the site is changed."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self._client = site.new_client()
        self._end = threading.Event()
        self._refused: list[str] = []
        self._durations: list[float] = []

    def __enter__(self) -> "Visitors":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self.join()

    def run(self) -> None:
        while not self._end.wait(0.1):
            began = time.monotonic()
            try:
                self._client.get("/accounts/login/")
            except (UnexpectedResponse, requests.RequestException) as error:
                self._refused.append(str(error))
            self._durations.append(time.monotonic() - began)

    def report(self) -> str:
        """Return how the requests went. Raises MachineError if one of them failed."""
        if self._refused:
            raise MachineError(f"{len(self._refused)} requests failed: {self._refused[0]}")
        return (
            f"{len(self._durations)} requests, none refused, at most {max(self._durations):.1f} s"
        )
