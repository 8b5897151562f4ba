"""The suite itself: with one of the protections taken away it has to fail, and to say why."""

import subprocess
import sys

import pytest

from dev.stack import ROOT

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SABOTAGES = {
    "lease": ("kill_both", "stuck"),
    "fence": ("freeze_building", "writes by zombies"),
    "sweeper": ("kill_both", "stuck"),
}


def start(without: str, fault: str) -> "subprocess.Popen[str]":
    options = [
        "--database",
        "sqlite",
        "--lease",
        "2",
        "--kills",
        "1",
        "--accounts",
        "8",
        "--only",
        fault,
        "--seed",
        "1",
    ]
    command = [
        sys.executable,
        "-m",
        "dev.chaos",
        *options,
        *(["--without", without] if without else []),
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_taking_a_protection_away_is_noticed():
    runs = {without: start(without, fault) for without, (fault, _) in SABOTAGES.items()}
    said = {without: run.communicate()[0] for without, run in runs.items()}
    assert {without: run.returncode for without, run in runs.items()} == dict.fromkeys(SABOTAGES, 1)
    for without, (_, reason) in SABOTAGES.items():
        assert reason in said[without].splitlines()[-2], said[without]
        assert "--seed 1" in said[without].splitlines()[-1]


def test_with_all_of_them_nothing_is_found():
    run = start("", "freeze_building")
    said = run.communicate()[0]
    assert run.returncode == 0, said
    assert "every promise was kept" in said
