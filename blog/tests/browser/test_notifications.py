import pytest

from blog.models import Follow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_page_marks_only_shown_notifications_as_read(page, site, alice, bob, make_user):
    Follow.objects.follow(bob, alice)
    page.goto(f"{site}/notifications/all/")
    Follow.objects.follow(make_user("carol"), alice)
    with (
        page.expect_response("**/notifications/read/"),
        page.expect_response("**/notifications/?*") as answer,
    ):
        pass
    assert answer.value.json()["unread"]["notifications"] == 1
    assert [row.actor.username for row in alice.notifications.unread()] == ["carol"]
    badge = page.locator("[data-badge=notifications]")
    assert badge.inner_text().split() == ["1", "unread"]
    page.reload()
    badge.wait_for(state="hidden")
    assert not alice.notifications.unread().exists()
