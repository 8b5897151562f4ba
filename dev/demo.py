"""`make demo`: one export from the click to the mailbox, on a stack of its own under var/demo/."""

import hashlib
import json
import os
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import requests

from dev.mailbox import Mail
from dev.person import Person, Refused
from dev.stack import ROOT, Stack, StackError, end_on_signals

USERNAME, ADDRESS, PASSWORD = "demo", "demo@example.com", "microblog-demo"
POSTS = 10_000
POSTS_A_SECOND = 2_000
EXPORT_SECONDS = 120
BAR_WIDTH = 40


class DemoError(Exception):
    """What was promised did not happen."""


class Display:
    """A bar that fills in place on a terminal; elsewhere a line whenever another tenth is done."""

    def __init__(self) -> None:
        self.in_place = sys.stdout.isatty()
        self.shown = ""
        self.tenth = -1

    def show(self, data: dict[str, Any]) -> None:
        filled = BAR_WIDTH * data["value"] // data["max"]
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        text = f"[{bar}] {data['value']:3d} %  {data['label']}  {data['text']}"
        if self.in_place:
            print(f"\r{text}\x1b[K", end="", flush=True)
        elif data["value"] // 10 > self.tenth:
            print(text, flush=True)
            self.tenth = data["value"] // 10
        self.shown = text

    def end(self) -> None:
        if self.in_place and self.shown:
            print(flush=True)


def say(text: str) -> None:
    print(text, flush=True)


def watch(person: Person, task: str, stack: Stack) -> None:
    """Poll as the page does, until it says that the mail is out."""
    display, since, toast = Display(), "", None
    deadline = time.monotonic() + EXPORT_SECONDS
    try:
        while toast is None:
            if time.monotonic() > deadline:
                raise DemoError(f"The export was not ready after {EXPORT_SECONDS} seconds.")
            stack.check()
            answer = person.notifications(since)
            since = answer["since"]
            for data in [
                item["data"] for item in answer["notifications"] if item["data"].get("task") == task
            ]:
                display.show(data)
                toast = data["toast"]
            time.sleep(0.25)
    finally:
        display.end()
    if toast["level"] != "success":
        raise DemoError(f"The site says: {toast['text']}")
    say(f"The site says: {toast['text']}")


def check_mail(mail: Mail, expected: int) -> None:
    part = mail.attachment("posts.json")
    if part is None:
        raise DemoError(f"{mail.path} has no posts.json.")
    content = part.get_content()
    found = len(json.loads(content)["posts"])
    if found != expected:
        raise DemoError(f"posts.json holds {found:,} posts, the account {expected:,}.")
    say(f"posts.json: {found:,} posts, as many as the account has; {len(content):,} bytes")
    say(f"SHA-256:    {hashlib.sha256(content).hexdigest()}")


def prepare(stack: Stack) -> int:
    """Bring the database up to date, in this process, which is quicker; the number of posts that it holds then."""
    os.environ.update(stack.env)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("seed_demo", users=1, posts=POSTS, stdout=StringIO())
    from blog.models import Post

    return Post.objects.filter(author__username=USERNAME).count()


def demo(var: Path) -> None:
    changes = {
        "MAIL_DIR": str(var / "mail"),
        "EXPORT_MAX_RATE": str(POSTS_A_SECOND),
        "EXPORT_COOLDOWN": "0",
        "LOG_LEVEL": "INFO",
    }
    with Stack(var / "demo", **changes) as stack:
        say("Preparing the database (var/demo/) ...")
        expected = prepare(stack)
        say("Starting broker, mail server, worker, sweeper and site ...")
        stack.start()
        say(f"The site is at {stack.site_url}")
        last_mail = stack.mailbox.newest()
        with Person(stack.site_url) as person:
            person.sign_in(USERNAME, PASSWORD)
            say(f"Signed in as {USERNAME}, asking for an export of {expected:,} posts ...")
            watch(person, person.request_export(USERNAME), stack)
        mail = stack.mailbox.wait(ADDRESS, after=last_mail)
        say(f'E-mail:     "{mail.message["subject"]}" to {mail.message["to"]}')
        check_mail(mail, expected)
        say("Stopping all of it ...")
    say(f"The e-mail with posts.json lies in {mail.path.relative_to(ROOT)}")


def main() -> int:
    end_on_signals()
    try:
        demo(ROOT / "var")
    except (DemoError, Refused, StackError, TimeoutError, requests.RequestException) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything is stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
