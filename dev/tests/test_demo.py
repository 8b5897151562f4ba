import json
from email.message import EmailMessage
from pathlib import Path

import pytest

from dev import demo
from dev.mailbox import Mail


def mail(posts: int | None) -> Mail:
    message = EmailMessage()
    message.set_content("Hello.")
    if posts is not None:
        content = json.dumps({"posts": [{"body": "Hello"}] * posts}).encode()
        message.add_attachment(
            content, maintype="application", subtype="json", filename="posts.json"
        )
    return Mail(Path("1.eml"), message)


def test_mail_with_all_posts_passes(capsys):
    demo.check_mail(mail(3), expected=3)

    assert "all 3 posts" in capsys.readouterr().out


def test_mail_with_missing_posts_fails():
    with pytest.raises(demo.DemoError, match=r"posts\.json has 2 posts, the account 3"):
        demo.check_mail(mail(2), expected=3)


def test_mail_without_attachment_fails():
    with pytest.raises(demo.DemoError, match=r"has no posts\.json"):
        demo.check_mail(mail(None), expected=3)


def test_failure_prints_one_line_and_exits_1(monkeypatch, capsys):
    def fail(var: Path) -> None:
        raise demo.DemoError("the archive never came")

    monkeypatch.setattr(demo, "demo", fail)
    monkeypatch.setattr(demo, "end_on_signals", lambda: None)

    assert demo.main() == 1
    assert capsys.readouterr().err == "The demo failed: the archive never came\n"


def test_progress_without_terminal_prints_ten_lines(capsys):
    display = demo.ProgressDisplay()
    for value in range(0, 100, 5):
        display.show(
            {"value": value, "max": 100, "label": f"{value} of 100 posts", "text": "Under way"}
        )
    display.close()

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[5] == f"[{'#' * 20}{'.' * 20}]  50 %  50 of 100 posts  Under way"
