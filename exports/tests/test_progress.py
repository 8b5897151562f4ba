import pytest

from exports.progress import count, describe, percent

FACTS = {
    "task": "5d4c1f6e-6f5b-4b1c-9d2c-111111111111",
    "kind": "posts",
    "status": "RUNNING",
    "crashes": 0,
    "rows_done": 1200,
    "rows_total": 5000,
    "error_code": "",
    "mail": None,
}


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [(0, 0, 0), (0, 10, 0), (1, 3, 33), (10, 10, 99), (11, 10, 99), (999, 1000, 99)],
)
def test_the_bar_never_says_100(done, total, shown):
    assert percent("RUNNING", done, total) == shown


def test_the_count_is_written_out():
    assert count(1200, 5000, "posts") == "1,200 of 5,000 posts"
    assert count(1, 1, "account") == "1 of 1 entry"
    assert count(12, 10, "posts") == "12 of 12 posts"


def test_a_running_build_has_a_bar():
    shown = describe(FACTS)
    assert (shown["active"], shown["value"], shown["label"]) == (True, 24, "1,200 of 5,000 posts")


def test_another_try_is_said_to_be_one():
    assert "2 of 3" in describe(FACTS | {"crashes": 1, "status": "READY"})["text"]


@pytest.mark.parametrize("mail", ["PENDING", "SENDING"])
def test_the_bar_stays_until_the_mail_is_out(mail):
    shown = describe(FACTS | {"status": "SUCCESSFUL", "mail": mail})
    assert (shown["active"], shown["value"], shown["toast"]) == (True, 99, None)


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"status": "SUCCESSFUL", "mail": "SENT"}, "success", "in your mailbox"),
        ({"status": "SUCCESSFUL", "mail": "GAVE_UP"}, "warning", "could not be mailed"),
        ({"status": "FAILED", "error_code": "TIMEOUT"}, "danger", "longer than an export may take"),
    ],
)
def test_the_end_is_told(changes, level, words):
    shown = describe(FACTS | changes)
    assert not shown["active"]
    assert shown["toast"]["level"] == level
    assert words in shown["toast"]["text"]


def test_a_cancelled_export_just_goes():
    shown = describe(FACTS | {"status": "CANCELLED"})
    assert (shown["active"], shown["toast"]) == (False, None)
