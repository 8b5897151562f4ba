"""Proof that the suite fails, with the right reason, when a protection is disabled."""

import subprocess
import sys

import pytest

from dev.stack import ROOT

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

# Disabled protection: fault, and expected reason of the failure.
CASES = {
    "lease": ("kill_worker_and_work_horse", "stuck"),
    "fence": ("freeze_build", "zombie writes"),
    "sweeper": ("kill_worker_and_work_horse", "stuck"),
    "guard": ("write_foreign_jobs", "broken promises of the queue"),
}


def start(without: str, fault: str) -> "subprocess.Popen[str]":
    command = [
        *(sys.executable, "-m", "dev.chaos", "--database", "sqlite", "--lease", "2"),
        *("--kills", "1", "--accounts", "8", "--only", fault, "--seed", "1"),
        *(["--without", without] if without else []),
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_disabled_protection_is_noticed():
    runs = {without: start(without, fault) for without, (fault, _) in CASES.items()}
    output = {without: run.communicate()[0] for without, run in runs.items()}
    assert {without: run.returncode for without, run in runs.items()} == dict.fromkeys(CASES, 1)
    for without, (_, reason) in CASES.items():
        assert reason in output[without].splitlines()[-2], output[without]
        assert "--seed 1" in output[without].splitlines()[-1]


def test_complete_protection_passes():
    run = start("", "freeze_build")
    output = run.communicate()[0]
    assert run.returncode == 0, output
    assert "every promise was kept" in output
