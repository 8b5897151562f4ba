import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from conftest import wait_until
from dev.stack import ROOT, Child, Stack, StackError, session_members

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
PARENT = """
import os, time
if os.fork() == 0:
    os.setpgrp()
print("ready", flush=True)
time.sleep(60)
"""
DOOMED = """
import sys, time
from pathlib import Path
from dev.stack import Stack
with Stack(Path(sys.argv[1])) as stack:
    stack.start("broker", "mail")
    print(*(child.pid for child in stack.children.values()), flush=True)
    time.sleep(60)
"""


MANY_PORTS = """
from dev.stack import free_port
ports = [free_port() for _ in range(500)]
assert len(set(ports)) == 500
print(ports[0], flush=True)
input()
"""


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def start(tmp_path):
    children = []

    def start(code: str, lines: int = 1) -> Child:
        child = Child("child", [sys.executable, "-c", code], os.environ, tmp_path / "child.log")
        children.append(child)
        wait_until(lambda: child.log.read_text().count("ready") == lines)
        return child

    yield start
    for child in children:
        child.kill()


def test_nothing_remains_after_the_block_whatever_ended_it(tmp_path):
    pids: list[int] = []

    def fail() -> None:
        with Stack(tmp_path) as stack:
            stack.start("broker", "mail")
            pids.extend(child.pid for child in stack.children.values())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert len(pids) == 2
    assert [session_members(pid) for pid in pids] == [[], []]


def test_a_process_that_does_not_start_is_named_with_the_end_of_its_log(tmp_path):
    reason = r"(?s)The broker has ended\..*REDIS_URL names a server on the network"
    with (
        Stack(tmp_path, REDIS_URL="redis://broker.example") as stack,
        pytest.raises(StackError, match=reason),
    ):
        stack.start("broker")


def test_a_process_that_ends_by_itself_is_noticed(tmp_path):
    with Stack(tmp_path) as stack:
        stack.start("mail")
        stack.check()
        os.kill(stack.children["mail"].pid, signal.SIGKILL)
        wait_until(lambda: not stack.children["mail"].is_running)
        with pytest.raises(StackError, match="The mail has ended"):
            stack.check()


def test_a_process_that_ignores_sigterm_is_killed(start):
    child = start(STUBBORN)

    child.end(seconds=0.1)

    assert child.process.returncode == -signal.SIGKILL


def test_a_grandchild_with_a_process_group_of_its_own_is_killed_too(start):
    child = start(PARENT, lines=2)
    pids = session_members(child.pid)

    child.kill()

    assert len(pids) == 2
    wait_until(lambda: all(map(is_gone, pids)))


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_kill_9_of_the_parent_leaves_nothing_behind(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", DOOMED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]

    parent.kill()
    parent.communicate()

    assert len(pids) == 2
    wait_until(lambda: all(map(is_gone, pids)))


def test_a_management_command_that_fails_says_why(tmp_path):
    with (
        Stack(tmp_path) as stack,
        pytest.raises(StackError, match=r"(?s)manage.py no_such failed:.*Unknown command"),
    ):
        stack.run("no_such")


def test_a_port_is_given_to_one_alone_and_a_server_may_have_it():
    command = [sys.executable, "-c", MANY_PORTS]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        port = int(holder.stdout.readline())
        with (
            socket.create_server(("127.0.0.1", port)),
            socket.create_connection(("127.0.0.1", port)),
        ):
            pass
        holder.communicate("\n")
    assert holder.returncode == 0
