"""Helpers of `make systemd-test`, which itself takes minutes and needs root."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from dev.stack import ROOT
from dev.systemd import debian, journal
from dev.systemd.control_groups import find_groups
from dev.systemd.documentation import commands
from dev.systemd.machine import STAND_INS

pytestmark = pytest.mark.sqlite


@pytest.mark.parametrize(
    ("targets", "mirror"),
    [
        (["s/ bookworm-security", "m/ bookworm-updates", "d/ bookworm"], "d/"),
        (["d/ trixie", "m/ trixie-updates"], "d/"),
        (["d/ bookworm-backports"], ""),
        ([], ""),
    ],
)
def test_mirror_is_that_of_a_release(targets, mirror):
    assert debian.select_mirror("\n".join(targets)) == mirror


@pytest.mark.parametrize(("python", "is_needed"), [("3.11.2", True), ("3.11.3", False)])
def test_wheels_are_those_of_the_machines_python(python, is_needed):
    pins = debian.pins(python)
    assert any(pin.startswith("async-timeout==") for pin in pins) is is_needed
    assert any(pin.startswith("django==") for pin in pins)


@pytest.mark.parametrize(
    ("mounts", "membership", "groups"),
    [
        # cgroup version 2 only, version 1 with systemd's own hierarchy, and both
        (
            "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0",
            "0::/user.slice/session-1.scope",
            ["/sys/fs/cgroup/user.slice/session-1.scope"],
        ),
        (
            "cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n"
            "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0",
            "9:name=systemd:/a\n1:cpu:/b",
            ["/sys/fs/cgroup/systemd/a"],
        ),
        (
            "cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n"
            "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\nproc /proc proc rw 0 0",
            "9:name=systemd:/\n4:memory:/elsewhere\n0::/",
            ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"],
        ),
    ],
)
def test_groups_are_those_that_systemd_manages(mounts, membership, groups):
    assert find_groups(mounts, membership) == [Path(group) for group in groups]


def entry(text: str, *, unit: str = "", program: str = "", priority: int = 6) -> journal.Entry:
    fields = {
        "MESSAGE": text,
        "PRIORITY": str(priority),
        "__REALTIME_TIMESTAMP": "1764270000123456",
        "_SYSTEMD_UNIT": unit,
        "SYSLOG_IDENTIFIER": program,
    }
    [parsed] = journal.parse(json.dumps(fields) + "\n")
    return parsed


@pytest.mark.parametrize(
    ("fields", "is_error"),
    [
        ({"text": "Deactivated.", "unit": "init.scope", "program": "systemd"}, False),
        ({"text": "Failed.", "unit": "init.scope", "program": "systemd", "priority": 3}, True),
        ({"text": '{"level": "INFO"}', "unit": "microblog-web.service"}, False),
        ({"text": '{"level": "WARNING"}', "unit": "microblog-web.service"}, False),
        ({"text": '{"level": "ERROR"}', "unit": "microblog-worker@1.service"}, True),
        ({"text": '{"level": "CRITICAL"}', "unit": "microblog-sweeper.service"}, True),
        ({"text": "Traceback (most recent", "unit": "microblog-web.service"}, True),
        ({"text": "[]", "unit": "microblog-web.service"}, True),
        ({"text": "Traceback (most recent", "unit": "cron.service", "program": "cron"}, False),
    ],
)
def test_errors_of_a_journal(fields, is_error):
    assert entry(**fields).is_error is is_error


def test_expected_errors_are_left_out():
    killed = entry("worker@1: code=killed, status=9", program="systemd", priority=3)
    other = entry("worker@1: code=exited, status=1", program="systemd", priority=3)
    assert journal.errors([killed, other], [r"code=killed"]) == [other]


def test_message_of_bytes_is_read():
    fields = {"MESSAGE": [0x1B, 0x41, 0xFF], "__REALTIME_TIMESTAMP": "0"}
    [parsed] = journal.parse(json.dumps(fields))
    assert parsed.text == "\x1bA\ufffd"


def test_commands_are_the_first_below_a_title():
    text = "## One\n```sh\none\n```\n## Two\nText.\n```sh\ntwo\nthree\n```\n"
    assert commands("## Two", text) == "two\nthree\n"
    with pytest.raises(ValueError, match="## Three"):
        commands("## Three", text)


def test_machine_has_documented_packages():
    [line] = re.findall(r"apt-get install --yes (.*)", (ROOT / "docs/deployment.md").read_text())
    assert set(line.split()) <= set(debian.PACKAGES)


def test_stand_ins_are_shell_scripts():
    for script in STAND_INS.values():
        subprocess.run(["sh", "-n", "-c", script], check=True)
