import pytest

from tasks.progress import percent


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [(0, 0, 0), (0, 10, 0), (1, 3, 33), (10, 10, 99), (11, 10, 99), (999, 1000, 99)],
)
def test_percent_never_reaches_100(done, total, expected):
    assert percent("RUNNING", done, total) == expected
