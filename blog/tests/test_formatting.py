from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from blog.formatting import duration, exact_time, relative_time, time_tag


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 seconds"),
        (0.44, "0.4 seconds"),
        (1, "1.0 second"),
        (12.4, "12 seconds"),
        (200, "3 min 20 s"),
    ],
)
def test_duration_is_rounded_by_length(seconds, text):
    assert duration(timedelta(seconds=seconds)) == text


def test_relative_time_of_today_is_an_interval():
    assert relative_time(timezone.now() - timedelta(hours=2)) == "2\xa0hours ago"


def test_older_relative_time_is_a_date():
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert relative_time(moment) == "Jan. 2, 2026"
    with override("es"):
        assert relative_time(moment) == "2 de enero de 2026"


def test_exact_time_names_the_time_zone():
    moment = datetime(2026, 1, 2, 15, 4, tzinfo=UTC)
    assert exact_time(moment) == "Jan. 2, 2026, 3:04 p.m. UTC"


def test_times_use_readers_zone_and_language():
    moment = datetime(2026, 1, 2, 15, 4, tzinfo=UTC)
    with timezone.override("Asia/Tokyo"):
        assert exact_time(moment) == "Jan. 3, 2026, 12:04 a.m. JST"
        assert relative_time(moment) == "Jan. 3, 2026"
    with override("es"):
        assert exact_time(moment) == "2 de enero de 2026 a las 15:04 UTC"


def test_time_tag_has_iso_and_exact_time():
    with timezone.override("Asia/Tokyo"):
        tag = time_tag(datetime(2026, 1, 2, 15, 4, 5, 678, tzinfo=UTC))
    title = "Jan. 3, 2026, 12:04 a.m. JST"
    assert (
        tag
        == f'<time datetime="2026-01-03T00:04:05.000678+09:00" title="{title}">Jan. 3, 2026</time>'
    )
