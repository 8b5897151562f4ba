"""`manage.py selftest` on real processes, with each service broken in turn."""

import socket
import subprocess
import threading
import time
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction

from dev.stack import ROOT, StackError, manage
from staff.models import SelfTest

pytestmark = pytest.mark.integration

COMMAND = ("selftest", "--to", "ops@microblog.example")


def verdict(stack):
    """Return the single line that a failing self-test prints."""
    with pytest.raises(StackError) as caught:
        stack.run(*COMMAND)
    [line] = [line for line in str(caught.value).splitlines() if line.startswith("CommandError: ")]
    return line.removeprefix("CommandError: ")


def lock():
    """Lock the table of self-tests in the test's own transaction."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE staff_selftest IN EXCLUSIVE MODE")


@pytest.mark.sqlite
def test_self_test_passes_with_all_services(stack):
    stack.start("broker", "mail", "worker")
    stack.run(*COMMAND)
    assert SelfTest.objects.get().passed
    assert stack.mailbox.wait("ops@microblog.example").message["Subject"] == "[Microblog] Self-test"


@pytest.mark.sqlite
def test_missing_broker_is_reported(stack):
    assert verdict(stack).startswith("Broker: ")


@pytest.mark.sqlite
def test_missing_worker_is_reported(stack):
    stack.start("broker")
    assert verdict(stack).startswith("Worker: none is running.")


@pytest.mark.sqlite
def test_refusing_mail_server_is_reported(stack):
    address = urlsplit(stack.env["EMAIL_URL"])
    with socket.create_server((address.hostname, address.port)) as server:

        def refuse():
            with server.accept()[0] as caller:
                caller.sendall(b"554 Nothing for us today\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        stack.start("broker", "worker")
        assert "Nothing for us today" in (line := verdict(stack))
    assert line.startswith("Mail: ")


def test_locked_database_is_reported(stack):
    stack.start("broker", "worker")
    with transaction.atomic():
        lock()
        assert verdict(stack).startswith("Database: it cannot be written to")


def test_database_locked_during_job_is_reported(stack):
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
