import pytest

from exports.progress import render_count, render_progress

PAYLOAD = {
    "task": "5d4c1f6e-6f5b-4b1c-9d2c-111111111111",
    "kind": "posts",
    "status": "RUNNING",
    "crashes": 0,
    "rows_done": 1200,
    "rows_total": 5000,
    "error_code": "",
    "mail": None,
}


def test_render_count_agrees_with_number():
    assert render_count(1200, 5000, "posts") == "1,200 of 5,000 posts"
    assert render_count(1, 1, "account") == "1 of 1 entry"
    assert render_count(12, 10, "posts") == "12 of 12 posts"


def test_running_build_has_bar():
    rendered = render_progress(PAYLOAD)
    assert (rendered["active"], rendered["value"], rendered["label"]) == (
        True,
        24,
        "1,200 of 5,000 posts",
    )


def test_retry_is_shown_with_its_number():
    assert "2 of 3" in render_progress(PAYLOAD | {"crashes": 1, "status": "READY"})["text"]


@pytest.mark.parametrize("mail", ["PENDING", "SENDING"])
def test_bar_stays_until_mail_is_sent(mail):
    rendered = render_progress(PAYLOAD | {"status": "SUCCESSFUL", "mail": mail})
    assert (rendered["active"], rendered["value"], rendered["toast"]) == (True, 99, None)


@pytest.mark.parametrize(
    ("changes", "level", "text"),
    [
        ({"status": "SUCCESSFUL", "mail": "SENT"}, "success", "in your mailbox"),
        ({"status": "SUCCESSFUL", "mail": "GAVE_UP"}, "warning", "could not be mailed"),
        ({"status": "FAILED", "error_code": "TIMEOUT"}, "danger", "longer than an export may take"),
    ],
)
def test_finished_export_has_toast(changes, level, text):
    rendered = render_progress(PAYLOAD | changes)
    assert not rendered["active"]
    assert rendered["toast"]["level"] == level
    assert text in rendered["toast"]["text"]


def test_cancelled_export_has_no_bar_or_toast():
    rendered = render_progress(PAYLOAD | {"status": "CANCELLED"})
    assert (rendered["active"], rendered["toast"]) == (False, None)
