from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from blog.templatetags.blog import exact, moment, time_taken, when


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 seconds"),
        (0.44, "0.4 seconds"),
        (1, "1.0 second"),
        (12.4, "12 seconds"),
        (200, "3 min 20 s"),
    ],
)
def test_a_time_taken_is_said_as_precisely_as_it_matters(seconds, words):
    assert time_taken(timedelta(seconds=seconds)) == words


def test_a_time_of_today_is_said_as_a_distance():
    assert when(timezone.now() - timedelta(hours=2)) == "2\xa0hours ago"


def test_an_older_time_is_said_as_a_date():
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert when(moment) == "Jan. 2, 2026"
    with override("es"):
        assert when(moment) == "2 de enero de 2026"


def test_an_exact_time_names_its_zone():
    moment = datetime(2026, 1, 2, 15, 4, tzinfo=UTC)
    assert exact_time(moment) == "Jan. 2, 2026, 3:04 p.m. UTC"


def test_an_exact_time_is_that_of_the_reader():
    at = datetime(2026, 1, 2, 15, 4, tzinfo=UTC)
    for _ in range(2):
        assert exact_time(at) == "Jan. 2, 2026, 3:04 p.m. UTC"
        with timezone.override("Asia/Tokyo"):
            assert exact_time(at) == "Jan. 3, 2026, 12:04 a.m. JST"
            assert when(at) == "Jan. 3, 2026"
        with override("es"):
            assert exact_time(at) == "2 de enero de 2026 a las 15:04 UTC"


def test_a_moment_is_said_to_people_and_to_programs():
    with timezone.override("Asia/Tokyo"):
        said = moment(datetime(2026, 1, 2, 15, 4, 5, 678, tzinfo=UTC))
    title = "Jan. 3, 2026, 12:04 a.m. JST"
    assert (
        said
        == f'<time datetime="2026-01-03T00:04:05.000678+09:00" title="{title}">Jan. 3, 2026</time>'
    )
