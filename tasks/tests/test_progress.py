import pytest

from tasks.progress import percent, render_minutes


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [(0, 0, 0), (0, 10, 0), (1, 3, 33), (10, 10, 99), (11, 10, 99), (999, 1000, 99)],
)
def test_percent_never_reaches_100(done, total, expected):
    assert percent("RUNNING", done, total) == expected


@pytest.mark.parametrize(
    ("minimum", "maximum", "expected"),
    [
        (0, 0, "less than a minute"),
        (0, 1, "less than a minute"),
        (0, 2, "at most 2 minutes"),
        (1, 1, "about 1 minute"),
        (3, 3, "about 3 minutes"),
        (1, 2, "about 1 to 2 minutes"),
    ],
)
def test_wait_is_rendered_as_range(minimum, maximum, expected):
    assert render_minutes(minimum, maximum) == expected
