"""Benchmarks of the running site in miniature: they run, and return their goals."""

import pytest

from benchmarks import pages, queue_drain, start

pytestmark = pytest.mark.sqlite


@pytest.mark.bench
def test_queue_drain_returns_goals_and_arrivals():
    result = queue_drain.run(people=4, databases=("sqlite",), seconds=1)
    assert [goal.number for goal in queue_drain.goals(result)] == [6, 6]
    arrivals = result["sqlite"]["arrivals"]
    assert {name: len(mails) for name, mails in arrivals.items()} == {
        "mails": 2,
        "exports": 4,
        "exports_under_load": 4,
    }
    assert result["sqlite"]["pages"] > 0


@pytest.mark.bench
def test_pages_returns_goals_and_table():
    result = pages.run(requests=2, polls=2, database="sqlite")
    assert len(pages.goals(result)) == 2
    assert result["poll"]["queries"] == pages.MAX_QUERIES
    assert result["poll"]["writes"] == 0
    assert len(pages.table(result)) == 6


@pytest.mark.integration
def test_worker_start_is_measured():
    result = {"worker": [start._measure_worker()], "demo": [1.0]}
    assert [goal.number for goal in start.goals(result)] == [8, 8]


@pytest.mark.parametrize(("seconds", "is_met"), [(12.0, True), (21.0, False)])
def test_goal_is_met_by_median(seconds, is_met):
    assert start.goals({"worker": [1.0], "demo": [seconds, 1.0, 30.0]})[0].is_met == is_met
