"""`manage.py selftest` on real processes, each link of the chain broken in turn."""

import socket
import subprocess
import threading
import time
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction

from dev.stack import ROOT, StackError, manage
from exports.models import SelfTest

pytestmark = pytest.mark.integration

COMMAND = ("selftest", "--to", "ops@microblog.example")


def verdict(stack):
    """What the command prints where a link is broken: one line."""
    with pytest.raises(StackError) as caught:
        stack.run(*COMMAND)
    [line] = [line for line in str(caught.value).splitlines() if line.startswith("CommandError: ")]
    return line.removeprefix("CommandError: ")


def lock():
    """Keep everybody else from writing a self-test, inside a transaction of the tests' own."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE exports_selftest IN EXCLUSIVE MODE")


@pytest.mark.sqlite
def test_a_whole_chain_holds(stack):
    stack.start("broker", "mail", "worker")
    stack.run(*COMMAND)
    assert SelfTest.objects.get().passed
    assert stack.mailbox.wait("ops@microblog.example").message["Subject"] == "[Microblog] Self-test"


@pytest.mark.sqlite
def test_no_broker(stack):
    assert verdict(stack).startswith("Broker: ")


@pytest.mark.sqlite
def test_no_worker(stack):
    stack.start("broker")
    assert verdict(stack).startswith("Worker: none is running.")


@pytest.mark.sqlite
def test_a_mail_server_that_refuses(stack):
    address = urlsplit(stack.env["EMAIL_URL"])
    with socket.create_server((address.hostname, address.port)) as server:

        def refuse():
            with server.accept()[0] as caller:
                caller.sendall(b"554 Nothing for us today\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        stack.start("broker", "worker")
        assert "Nothing for us today" in (line := verdict(stack))
    assert line.startswith("Mail: ")


def test_a_locked_database(stack):
    stack.start("broker", "worker")
    with transaction.atomic():
        lock()
        assert verdict(stack).startswith("Database: it cannot be written to")


def test_a_database_that_locks_while_the_worker_counts(stack):
    stack.start("broker", "mail", "worker")
    process = subprocess.Popen(
        manage(*COMMAND), cwd=ROOT, env=stack.env, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while not SelfTest.objects.filter(started_at__isnull=False).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with transaction.atomic():
        lock()
        _, error = process.communicate(timeout=60)
    assert "Progress: " in error
