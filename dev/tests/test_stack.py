import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from conftest import wait_until
from dev.stack import PROCESSES, ROOT, Child, Stack, StackError, session_members

IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
FORKS_NEW_GROUP = """
import os, time
if os.fork() == 0:
    os.setpgrp()
print("ready", flush=True)
time.sleep(60)
"""
STARTS_STACK = """
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


def test_no_process_remains_after_exception(tmp_path):
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


def test_failed_start_reports_end_of_log(tmp_path):
    reason = r"(?s)The broker process exited \(code 1\)\..*REDIS_URL names a server on the network"
    with (
        Stack(tmp_path, REDIS_URL="redis://broker.example") as stack,
        pytest.raises(StackError, match=reason),
    ):
        stack.start("broker")


def test_check_reports_exited_process(tmp_path):
    with Stack(tmp_path) as stack:
        stack.start("mail")
        stack.check()
        os.kill(stack.children["mail"].pid, signal.SIGKILL)
        wait_until(lambda: not stack.children["mail"].is_running)
        with pytest.raises(StackError, match=r"The mail process exited \(code 137\)"):
            stack.check()


def test_stop_kills_process_that_ignores_sigterm(start):
    child = start(IGNORES_SIGTERM)

    child.stop(seconds=0.1)

    assert child.process.returncode == -signal.SIGKILL


def test_kill_reaches_other_process_groups(start):
    child = start(FORKS_NEW_GROUP, lines=2)
    pids = session_members(child.pid)

    child.kill()

    assert len(pids) == 2
    wait_until(lambda: all(map(is_gone, pids)))


def test_last_lines_are_those_of_own_process(tmp_path):
    log = tmp_path / "child.log"
    for word in ("earlier", "own"):
        child = Child("child", [sys.executable, "-c", f"print('{word}')"], os.environ, log)
        child.process.wait()

    assert log.read_text() == "earlier\nown\n"
    assert child.last_lines() == "  own"


def test_ready_stack_stops_with_exit_codes_0(tmp_path):
    with Stack(tmp_path) as stack:
        stack.run("migrate", "--verbosity", "0")
        stack.start()
        # A sweeper is ready as soon as it runs, but it handles SIGTERM a little later.
        wait_until(lambda: "started" in stack.children["sweeper"].last_lines())

    assert stack.exit_codes == dict.fromkeys(PROCESSES, 0)


def test_retired_worker_is_replaced_and_exits(tmp_path):
    with Stack(tmp_path) as stack:
        stack.run("migrate", "--verbosity", "0")
        stack.start("broker", "worker")
        old = stack.children["worker"]

        stack.retire("worker")
        stack.start("worker")

        wait_until(lambda: not old.is_running)
        new = stack.children["worker"]
        assert (old.pid != new.pid, new.is_running) == (True, True)

    assert stack.exit_codes == {"broker": 0, "worker": 0, f"worker {old.pid}": 0}


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_no_process_survives_kill_of_parent(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS_STACK, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]

    parent.kill()
    parent.communicate()

    assert len(pids) == 2
    wait_until(lambda: all(map(is_gone, pids)))


def test_failed_management_command_reports_output(tmp_path):
    with (
        Stack(tmp_path) as stack,
        pytest.raises(StackError, match=r"(?s)manage.py no_such failed:.*Unknown command"),
    ):
        stack.run("no_such")


def test_free_port_is_unique_and_usable():
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
