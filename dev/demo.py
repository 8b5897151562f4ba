"""`make demo`: one export end to end, on a temporary stack with its data in var/demo/."""

import argparse
import hashlib
import json
import os
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import requests

from blog.management.progress_bar import draw_bar
from dev.mailbox import Mail
from dev.site_client import SiteClient, UnexpectedResponse
from dev.stack import ROOT, Stack, StackError, end_on_signals

USERNAME, ADDRESS, PASSWORD = "demo", "demo@example.com", "microblog-demo"
POSTS = 10_000
POSTS_PER_SECOND = 2_000
MAX_EXPORT_SECONDS = 120


class DemoError(Exception):
    """Outcome of the demo that differs from the promised one."""


class ProgressDisplay:
    """Bar that is redrawn in place on a terminal; elsewhere, one line per ten percent."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self.is_open = False
        self.tenth = -1

    def show(self, data: dict[str, Any]) -> None:
        bar = draw_bar(data["value"], data["max"])
        text = f"{bar} {data['value']:3d} %  {data['label']}  {data['text']}"
        if self.is_terminal:
            print(f"\r{text}\x1b[K", end="", flush=True)
        elif data["value"] // 10 > self.tenth:
            print(text, flush=True)
            self.tenth = data["value"] // 10
        self.is_open = True

    def close(self) -> None:
        if self.is_terminal and self.is_open:
            print(flush=True)


def print_line(text: str) -> None:
    print(text, flush=True)


def wait_for_export(client: SiteClient, task: str, stack: Stack) -> None:
    """Poll as the page does and show the progress, until the site reports the end."""
    display, since, toast = ProgressDisplay(), "", None
    deadline = time.monotonic() + MAX_EXPORT_SECONDS
    try:
        while toast is None:
            if time.monotonic() > deadline:
                raise DemoError(f"The export was not ready after {MAX_EXPORT_SECONDS} seconds.")
            stack.check()
            changes = client.notifications(since)
            since = changes["since"]
            for data in (item["data"] for item in changes["notifications"]):
                if data.get("task") == task:
                    display.show(data)
                    toast = data["toast"]
            time.sleep(0.25)
    finally:
        display.close()
    if toast["level"] != "success":
        raise DemoError(f"The site says: {toast['text']}")
    print_line(f"The site says: {toast['text']}")


def check_mail(mail: Mail, expected: int) -> None:
    part = mail.attachment("posts.json")
    if part is None:
        raise DemoError(f"{mail.path} has no posts.json.")
    content = part.get_content()
    found = len(json.loads(content)["posts"])
    if found != expected:
        raise DemoError(f"posts.json has {found:,} posts, the account {expected:,}.")
    print_line(f"posts.json: all {found:,} posts of the account; {len(content):,} bytes")
    print_line(f"SHA-256:    {hashlib.sha256(content).hexdigest()}")


def prepare_database(stack: Stack) -> int:
    """Migrate and seed the database, and return the demo user's number of posts.

    Running the commands in this process saves two starts of Python.
    """
    os.environ.update(stack.env)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("seed_demo", users=1, posts=POSTS, stdout=StringIO())
    from blog.models import Post

    return Post.objects.filter(author__username=USERNAME).count()


def demo(var: Path) -> None:
    variables = {
        "MAIL_DIR": str(var / "mail"),
        "EXPORT_MAX_RATE": str(POSTS_PER_SECOND),
        "EXPORT_COOLDOWN": "0",
        "LOG_LEVEL": "INFO",
    }
    with Stack(var / "demo", **variables) as stack:
        print_line("Preparing the database (var/demo/) ...")
        expected = prepare_database(stack)
        print_line("Starting broker, mail server, worker, sweeper and site ...")
        stack.start()
        print_line(f"Site:       {stack.site_url}")
        last_mail = stack.mailbox.newest_name()
        with SiteClient(stack.site_url) as client:
            client.sign_in(USERNAME, PASSWORD)
            print_line(f"Signed in as {USERNAME}; requesting an export of {expected:,} posts ...")
            wait_for_export(client, client.request_export(USERNAME), stack)
        mail = stack.mailbox.wait(ADDRESS, after=last_mail)
        print_line(f'Email:      "{mail.message["subject"]}" to {mail.message["to"]}')
        check_mail(mail, expected)
        print_line("Stopping everything ...")
    print_line(f"Email with posts.json saved to {mail.path.relative_to(ROOT)}")


def main() -> int:
    end_on_signals()
    try:
        demo(ROOT / "var")
    except (
        DemoError,
        StackError,
        TimeoutError,
        UnexpectedResponse,
        requests.RequestException,
    ) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything is stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # accepts no arguments
    sys.exit(main())
