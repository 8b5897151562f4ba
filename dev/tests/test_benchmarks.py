"""Each benchmark, with hardly any posts: no figure is held against anything here."""

import json
from functools import partial

import pytest

from benchmarks import build, mail, memory, packing, page, timeline
from benchmarks.goals import Goal

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
    [build, packing, mail, pytest.param(memory, marks=pytest.mark.bench)],
    ids=lambda module: module.__name__,
)
def test_each_says_whether_its_goals_are_met(module):
    run, numbers = RUNS[module]
    goals = module.goals(json.loads(json.dumps(run())))
    assert [goal.number for goal in goals] == numbers
    assert all(goal.what and goal.figure and goal.raw and goal.bar for goal in goals)


@pytest.mark.bench
@pytest.mark.sqlite
def test_the_timeline_is_a_table():
    rows = timeline.rows(json.loads(json.dumps(timeline.run(3000, people=20))))
    assert {len(row) for row in rows} == {4}


def test_the_page_keeps_what_is_written_by_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "postgresql_version", lambda: "18.0")
    path = tmp_path / "page.md"
    path.write_text(f"# Before\n\n{page.BEGIN}\nold\n{page.END}\n\nAfter\n")
    for figure in ("0.5", "0.9"):
        goal = Goal(1, "Build", figure, "1", "at least 0.8", figure == "0.9")
        page.write([goal], [("a", "b", "c", "d")], [("page", "ms"), ("home", "3.0")], path)
    before, measured, after = (
        path.read_text().partition(page.BEGIN)[0],
        path.read_text(),
        path.read_text()[-8:],
    )
    assert before == "# Before\n\n"
    assert after == "\n\nAfter\n"
    assert "| 1 | Build | 0.9 | 1 | at least 0.8 | met |" in measured
    assert "| a | b | c | d |" in measured
    assert "| page | ms |\n|---|---|\n| home | 3.0 |" in measured
    assert "\nold\n" not in measured
    assert "| 0.5 |" not in measured
