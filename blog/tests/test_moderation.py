"""Decisions of the staff and their consequences."""

from importlib import import_module

import pytest
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from model_bakery import baker

from blog import moderation
from blog.models import Outcome, Post, Report
from conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def post(bob):
    return baker.make(Post, author=bob, body="Buy my boats")


@pytest.fixture
def report(alice, post):
    return baker.make(Report, reporter=alice, person=post.author, post=post, excerpt=post.body)


@pytest.fixture
def others(make_user, post, bob):
    """Create open reports by others: of the same post, another post and the author."""
    carol, dora = make_user("carol"), make_user("dora")
    same = baker.make(Report, reporter=carol, person=bob, post=post, excerpt=post.body)
    other = baker.make(
        Report, reporter=carol, person=bob, post=baker.make(Post, author=bob), excerpt="more"
    )
    return same, other, baker.make(Report, reporter=dora, person=bob, excerpt="")


def outcomes(*reports):
    return [Report.objects.get(pk=report.pk).outcome for report in reports]


def toasts(client, user):
    client.force_login(user)
    return [item["data"]["toast"] for item in client.get("/notifications/").json()["notifications"]]


def test_dismiss_closes_all_reports_of_post(report, others, staff, post, client, alice):
    moderation.dismiss(report, staff)
    assert outcomes(report, *others) == [Outcome.DISMISSED, Outcome.DISMISSED, "", ""]
    report.refresh_from_db()
    assert report.handled_by == staff
    assert report.handled_at is not None
    assert LogEntry.objects.filter(user=staff, content_type__model="report").count() == 2
    toast = toasts(client, alice)[0]
    assert "We found nothing against the rules." in toast["text"]
    assert toast["url"] == f"/reports/{report.pk}/"
    assert client.get(f"/posts/{post.pk}/").status_code == 200


def test_dismiss_user_report_keeps_reports_of_posts(report, others, staff, alice, bob):
    user_report = baker.make(Report, reporter=alice, person=bob, excerpt="")
    moderation.dismiss(user_report, staff)
    assert outcomes(user_report, others[2], report, others[1]) == [
        Outcome.DISMISSED,
        Outcome.DISMISSED,
        "",
        "",
    ]


def test_dismiss_works_after_post_is_deleted(report, others, staff, post):
    post.delete()
    report.refresh_from_db()
    moderation.dismiss(report, staff)
    assert outcomes(report, *others) == [Outcome.DISMISSED, Outcome.DISMISSED, "", ""]


def test_hidden_post_is_visible_to_author_with_reason(
    client, report, others, staff, alice, bob, post
):
    moderation.hide(post, staff, "Advertising <b>")
    assert outcomes(report, *others) == [Outcome.HIDDEN, Outcome.HIDDEN, "", ""]
    assert (
        LogEntry.objects.get(content_type__model="post").change_message == "Hidden: Advertising <b>"
    )
    assert "did something about it" in toasts(client, alice)[0]["text"]
    assert client.get(f"/posts/{post.pk}/").status_code == 404
    assert "Buy my boats" not in client.get("/@bob/").content.decode()
    toast = {"level": "warning", "url": f"/posts/{post.pk}/"}
    assert toasts(client, bob) == [
        toast | {"text": "Staff have hidden a post of yours. Reason: Advertising <b>"}
    ]
    for page in ("/@bob/", f"/posts/{post.pk}/"):
        shown = client.get(page).content.decode()
        assert "Hidden by staff on" in shown
        assert "Reason: Advertising &lt;b&gt;" in shown


def test_author_can_edit_and_delete_hidden_post(client, staff, bob, post):
    moderation.hide(post, staff, "Advertising")
    client.force_login(bob)
    assert client.post(f"/posts/{post.pk}/edit/", {"body": "Nothing for sale"}).status_code == 302
    post.refresh_from_db()
    assert post.body == "Nothing for sale"
    assert post.hidden_at is not None
    client.logout()
    assert client.get(f"/posts/{post.pk}/").status_code == 404
    client.force_login(bob)
    client.post(f"/posts/{post.pk}/delete/")
    assert not Post.objects.exists()
    assert toasts(client, bob) == []


def test_unhide_makes_post_visible_again(client, staff, alice, bob, post):
    moderation.hide(post, staff, "Advertising")
    moderation.unhide(post, staff)
    assert (post.hidden_by, post.hidden_reason) == (None, "")
    assert LogEntry.objects.latest("pk").change_message == "Shown again."
    assert [toast["level"] for toast in toasts(client, bob)] == ["success"]
    client.force_login(alice)
    assert client.get(f"/posts/{post.pk}/").status_code == 200


def test_deactivate_ends_sessions_and_closes_reports(client, report, others, staff, bob):
    client.post("/accounts/login/", {"login": "bob", "password": PASSWORD})
    assert client.get("/settings/").status_code == 200
    assert UserSession.objects.filter(user=bob).exists()
    moderation.deactivate(bob, staff)
    assert outcomes(report, *others) == [Outcome.DEACTIVATED] * 4
    assert not UserSession.objects.filter(user=bob).exists()
    assert client.get("/settings/").status_code == 302
    assert "sessionid" in client.cookies
    assert not client.session.items()
    assert client.get("/@bob/").status_code == 404
    assert LogEntry.objects.get(content_type__model="user").change_message == "Deactivated."


def test_reactivated_user_can_sign_in(client, staff, bob):
    moderation.deactivate(bob, staff)
    moderation.reactivate(bob, staff)
    assert client.get("/@bob/").status_code == 200
    client.post("/accounts/login/", {"login": "bob", "password": PASSWORD})
    assert client.get("/settings/").status_code == 200
    assert LogEntry.objects.latest("pk").change_message == "Reactivated."


def test_closed_report_keeps_its_outcome(report, staff, post):
    moderation.dismiss(report, staff)
    moderation.hide(post, staff, "After all")
    assert outcomes(report) == [Outcome.DISMISSED]


def test_staff_cannot_deactivate_themselves_or_superuser(make_user, staff, bob):
    moderator = make_user("moderator", is_staff=True)
    root = make_user("root2", is_staff=True, is_superuser=True)
    assert moderation.can_deactivate(bob, moderator)
    assert moderation.can_deactivate(root, staff)
    assert not moderation.can_deactivate(root, moderator)
    assert not moderation.can_deactivate(staff, staff)


def test_moderators_group_has_permissions():
    import_module("blog.migrations.0012_moderators").make(apps, None)
    permissions = Group.objects.get(name="Moderators").permissions.values_list(
        "codename", flat=True
    )
    assert set(permissions) == {"view_report", "change_report", "view_post", "view_user"}
