import random
from datetime import UTC, datetime, timedelta

import pytest

from imports.readers import ExcludedItem, ImportablePost, Reason, SortedPosts

START = datetime(2020, 1, 1, tzinfo=UTC)


def post(source_id, seconds=0, reply_to="", body="Hello", **more):
    timestamp = START + timedelta(seconds=seconds)
    return ImportablePost(source_id, body, timestamp, reply_to=reply_to, **more)


def order(*items):
    with SortedPosts(items) as posts:
        return [item.source_id for item in posts]


def test_posts_are_sorted_by_time():
    assert order(post("a", 2), post("b", 1), post("c", -(10**9))) == ["c", "b", "a"]


def test_numbers_are_sorted_by_value():
    assert order(*map(post, ["10", "9", "x", "007", "99999999999999999999"])) == [
        "007",
        "9",
        "10",
        "99999999999999999999",
        "x",
    ]


def test_reply_follows_what_it_answers():
    assert order(post("1", reply_to="3"), post("2"), post("3")) == ["2", "3", "1"]


def test_thread_of_one_moment_keeps_its_order():
    thread = [post(str(n), reply_to=str(n + 1)) for n in range(1, 2000)]
    assert order(*thread, post("2000")) == [str(n) for n in range(2000, 0, -1)]


def test_earlier_reply_stays_earlier():
    assert order(post("1", 0, reply_to="2"), post("2", 1)) == ["1", "2"]


def test_replies_in_a_circle_all_come():
    items = [
        post("1", reply_to="2"),
        post("2", reply_to="1"),
        post("3", reply_to="3"),
        post("4", 1),
    ]
    assert sorted(order(*items)) == ["1", "2", "3", "4"]
    assert order(*items)[-1] == "4"


@pytest.mark.parametrize("seed", range(20))
def test_order_does_not_depend_on_the_archive(seed):
    numbers = random.Random(seed)
    posts = [
        post(str(n), numbers.randrange(3), reply_to=str(numbers.randrange(30))) for n in range(30)
    ]
    shuffled = numbers.sample(posts, len(posts))
    assert order(*posts) == order(*shuffled)
    positions = {source_id: at for at, source_id in enumerate(order(*posts))}
    times = {item.source_id: item.timestamp for item in posts}
    assert sorted(positions) == sorted(times)
    assert [times[source_id] for source_id in order(*posts)] == sorted(times.values())


def test_posts_come_back_unchanged():
    original = post(
        "1",
        reply_to="0",
        body="é🙂\n\u2028",
        edited_at=datetime(2021, 1, 1, 0, 0, 0, 123456, UTC),
        source_url="https://x.example",
    )
    ancient = ImportablePost("2", "Old", datetime(1, 1, 1, tzinfo=UTC))
    with SortedPosts([original, ancient]) as posts:
        assert list(posts) == [ancient, original]
        assert list(posts) == [ancient, original]


def test_counts_and_reasons_are_known():
    told: list[ExcludedItem] = []
    excluded = ExcludedItem(Reason.BOOST)
    with SortedPosts([post("1"), excluded, post("1"), post("2", 10**8)], told.append) as posts:
        assert posts.count == 2
        assert posts.years == {2020: 1, 2023: 1}
        assert posts.excluded == {Reason.BOOST: 1, Reason.DUPLICATE: 1}
    assert [item.reason for item in told] == [Reason.BOOST, Reason.DUPLICATE]


def test_years_can_be_chosen():
    items = [post("1", reply_to="2"), post("2"), post("3", 10**8)]
    with SortedPosts(items) as posts:
        assert [item.source_id for item in posts.of_years({2023})] == ["3"]
        assert [item.source_id for item in posts.of_years([2020])] == ["2", "1"]
        assert list(posts.of_years([])) == []


def test_error_while_reading_passes():
    def items():
        yield post("1")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        SortedPosts(items())
