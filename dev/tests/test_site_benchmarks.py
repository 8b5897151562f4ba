"""That these benchmarks run, and know their goals; not what they find."""

import pytest

from benchmarks import pages, queue_drain, start

pytestmark = pytest.mark.sqlite


@pytest.mark.bench
def test_the_queue_drain():
    result = queue_drain.run(people=4, databases=("sqlite",), seconds=1)
    assert [goal.number for goal in queue_drain.goals(result)] == [6, 6]
    assert {name: len(mails) for name, mails in result["sqlite"]["arrivals"].items()} == {
        "plain": 2, "alone": 4, "beside": 4,
    }  # fmt: skip
    assert result["sqlite"]["pages"] > 0


@pytest.mark.bench
def test_the_pages():
    result = pages.run(requests=2, polls=2, database="sqlite")
    assert len(pages.goals(result)) == 2
    assert result["poll"]["queries"] == pages.MOST_QUERIES
    assert result["poll"]["writes"] == 0
    assert len(pages.table(result)) == 6


@pytest.mark.integration
def test_a_worker_begins():
    result = {"worker": [start._worker()], "demo": [1.0]}
    assert [goal.number for goal in start.goals(result)] == [8, 8]


@pytest.mark.parametrize(("figure", "is_met"), [(12.0, True), (21.0, False)])
def test_a_goal_that_is_not_met_is_said_not_to_be(figure, is_met):
    assert start.goals({"worker": [1.0], "demo": [figure, 1.0, 30.0]})[0].is_met == is_met
