"""Benchmarks with very few posts: they run, and no result is compared with its goal."""

import json
from functools import partial

import pytest

from benchmarks import build, mail, memory, packing, report, timeline
from benchmarks.report import Goal

RUNS = {
    build: (partial(build.run, (20, 40), rounds=1, naive_sizes=(20,)), [1, 1, 3, 3]),
    memory: (partial(memory.run, (20, 40), (20,)), [2, 2]),
    packing: (partial(packing.run, 500, rounds=1), [4]),
    mail: (partial(mail.run, rounds=1), [5]),
}


@pytest.mark.integration
@pytest.mark.sqlite
@pytest.mark.parametrize(
    "module",
    [
        packing,
        pytest.param(build, marks=pytest.mark.bench),
        pytest.param(mail, marks=pytest.mark.bench),
        pytest.param(memory, marks=pytest.mark.bench),
    ],
    ids=lambda module: module.__name__,
)
def test_benchmark_returns_complete_goals(module):
    run, numbers = RUNS[module]
    goals = module.goals(json.loads(json.dumps(run())))
    assert [goal.number for goal in goals] == numbers
    assert all(goal.title and goal.result and goal.baseline and goal.target for goal in goals)


@pytest.mark.bench
@pytest.mark.sqlite
def test_timeline_rows_have_four_cells():
    rows = timeline.rows(json.loads(json.dumps(timeline.run(3000, people=20))))
    assert {len(row) for row in rows} == {4}


def test_report_replaces_only_measured_part(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "postgresql_version", lambda: "18.0")
    path = tmp_path / "performance.md"
    path.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter\n")
    for result in ("0.5", "0.9"):
        goal = Goal(
            number=1,
            title="Build",
            result=result,
            baseline="1",
            target="at least 0.8",
            is_met=result == "0.9",
        )
        report.write([goal], [("a", "b", "c", "d")], [("page", "ms"), ("home", "3.0")], path)
    text = path.read_text()
    assert text.partition(report.BEGIN)[0] == "# Before\n\n"
    assert text.endswith("\n\nAfter\n")
    assert "| 1 | Build | 0.9 | 1 | at least 0.8 | met |" in text
    assert "| a | b | c | d |" in text
    assert "| page | ms |\n|---|---|\n| home | 3.0 |" in text
    assert "\nold\n" not in text
    assert "| 0.5 |" not in text
