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


def test_a_mail_with_all_posts_passes(capsys):
    demo.check_mail(mail(3), expected=3)

    assert "3 posts" in capsys.readouterr().out


def test_a_mail_with_too_few_posts_fails():
    with pytest.raises(demo.DemoError, match=r"posts\.json holds 2 posts, the account 3"):
        demo.check_mail(mail(2), expected=3)


def test_a_mail_without_the_attachment_fails():
    with pytest.raises(demo.DemoError, match=r"has no posts\.json"):
        demo.check_mail(mail(None), expected=3)


def test_a_failure_is_one_line_and_exit_status_1(monkeypatch, capsys):
    def fail(var: Path) -> None:
        raise demo.DemoError("the archive never came")

    monkeypatch.setattr(demo, "demo", fail)
    monkeypatch.setattr(demo, "end_on_signals", lambda: None)

    assert demo.main() == 1
    assert capsys.readouterr().err == "The demo failed: the archive never came\n"


def test_without_a_terminal_the_bar_is_a_line_for_each_tenth(capsys):
    display = demo.Display()
    for value in range(0, 100, 5):
        display.show(
            {"value": value, "max": 100, "label": f"{value} of 100 posts", "text": "Under way"}
        )
    display.end()

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[5] == f"[{'#' * 20}{'.' * 20}]  50 %  50 of 100 posts  Under way"
