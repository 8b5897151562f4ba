"""Reports in the admin, and the decisions about reports, posts and users."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from model_bakery import baker

from blog.models import Outcome, Post, Report, User

pytestmark = pytest.mark.django_db
REPORTS = "/admin/blog/report/"


@pytest.fixture
def moderator(make_user):
    """Create a staff member with only the permissions of the group."""
    import_module("blog.migrations.0012_moderators").make(apps, None)
    user = make_user("moderator", is_staff=True)
    user.groups.add(Group.objects.get(name="Moderators"))
    return user


@pytest.fixture
def as_moderator(client, moderator):
    client.force_login(moderator)
    return client


@pytest.fixture
def post(bob):
    return baker.make(Post, author=bob, body="Buy my boats")


@pytest.fixture
def report(alice, post):
    return baker.make(
        Report,
        reporter=alice,
        person=post.author,
        post=post,
        excerpt=post.body,
        reason="SPAM",
        comment="Every day",
    )


def decide(row, decision):
    return reverse(f"admin:blog_{row._meta.model_name}_decide", args=[row.pk, decision])


def test_oldest_open_report_comes_first(as_moderator, bob, make_user, staff):
    reporters = [make_user(f"reporter{n}") for n in range(3)]
    now = timezone.now()
    closed, newer, older = [
        baker.make(Report, reporter=reporter, person=bob, created_at=now - timedelta(hours=age))
        for reporter, age in zip(reporters, (3, 1, 2), strict=True)
    ]
    Report.objects.filter(pk=closed.pk).handle(staff, Outcome.DISMISSED)
    assert list(as_moderator.get(REPORTS).context["cl"].result_list) == [older, newer, closed]
    assert list(as_moderator.get(REPORTS, {"state": "open"}).context["cl"].result_list) == [
        older,
        newer,
    ]
    assert list(as_moderator.get(REPORTS, {"state": "handled"}).context["cl"].result_list) == [
        closed
    ]
    assert list(as_moderator.get(REPORTS, {"outcome": "DISMISSED"}).context["cl"].result_list) == [
        closed
    ]


def test_report_list_counts_reports_of_same_subject(as_moderator, report, make_user, post, bob):
    baker.make(Report, reporter=make_user("carol"), person=bob, post=post, excerpt="x")
    baker.make(Report, reporter=make_user("dora"), person=bob, excerpt="")
    row = as_moderator.get(REPORTS).context["cl"].result_list[0]
    assert (row.post_report_count, row.user_report_count) == (2, 3)


def test_report_list_makes_constant_queries(as_moderator, report, django_assert_num_queries):
    def load_list():
        with django_assert_num_queries(6):  # session, user, own and group permissions, count, rows
            assert as_moderator.get(REPORTS).status_code == 200

    as_moderator.get(REPORTS)
    load_list()
    users = baker.make(User, username=iter(f"p{n}" for n in range(9)), email="", _quantity=9)
    for user in users:
        baker.make(Report, reporter=user, person=report.person, post=report.post, excerpt="x")
    load_list()


def test_report_shows_old_and_current_text_read_only(as_moderator, report, post, make_user, bob):
    before = baker.make(Report, reporter=make_user("carol"), person=bob, excerpt="Something older")
    Post.objects.update(body="Nothing for sale")
    url = f"{REPORTS}{report.pk}/change/"
    page = as_moderator.get(url).content.decode()
    for text in ("Buy my boats", "Nothing for sale", "Every day", "alice", "Something older"):
        assert text in page
    assert f"{REPORTS}{before.pk}/change/" in page
    assert 'name="_save"' not in page
    assert as_moderator.post(url, {"reason": "ABUSE"}).status_code == 403


def test_decision_links_to_confirmation(as_moderator, report):
    page = as_moderator.get(f"{REPORTS}{report.pk}/change/").content.decode()
    for decision in ("dismiss", "hide", "deactivate"):
        assert f'href="{decide(report, decision)}"' in page
        assert "csrfmiddlewaretoken" in as_moderator.get(decide(report, decision)).content.decode()
    report.refresh_from_db()
    assert report.handled_at is None


def test_dismiss_closes_report(as_moderator, report, moderator):
    assert as_moderator.post(decide(report, "dismiss")).url == f"{REPORTS}{report.pk}/change/"
    report.refresh_from_db()
    assert (report.outcome, report.handled_by) == (Outcome.DISMISSED, moderator)


def test_hide_requires_reason(as_moderator, report, post):
    assert as_moderator.post(decide(report, "hide"), {"reason": " "}).status_code == 422
    assert as_moderator.post(decide(report, "hide"), {"reason": "x" * 281}).status_code == 422
    assert as_moderator.post(decide(report, "hide"), {"reason": "Advertising"}).status_code == 302
    post.refresh_from_db()
    report.refresh_from_db()
    assert (post.hidden_reason, report.outcome) == ("Advertising", Outcome.HIDDEN)


def test_deactivate_closes_account_and_report(as_moderator, report, bob):
    assert as_moderator.post(decide(report, "deactivate")).status_code == 302
    bob.refresh_from_db()
    report.refresh_from_db()
    assert (bob.is_active, report.outcome) == (False, Outcome.DEACTIVATED)


def test_decision_on_closed_report_changes_nothing(as_moderator, report, staff, bob):
    Report.objects.all().handle(staff, Outcome.HIDDEN)
    response = as_moderator.post(decide(report, "dismiss"), follow=True)
    assert "This cannot be done, or is done already." in response.content.decode()
    report.refresh_from_db()
    assert (report.outcome, report.handled_by) == (Outcome.HIDDEN, staff)


def test_deleted_post_cannot_be_hidden(as_moderator, report, post):
    post.delete()
    page = as_moderator.get(f"{REPORTS}{report.pk}/change/").content.decode()
    assert "Deleted" in page
    assert "Buy my boats" in page
    assert decide(report, "hide") not in page
    assert as_moderator.post(decide(report, "hide"), {"reason": "x"}).status_code == 302


def test_post_page_offers_unhide(as_moderator, report, post):
    as_moderator.post(decide(post, "hide"), {"reason": "Advertising"})
    report.refresh_from_db()
    assert report.outcome == Outcome.HIDDEN
    assert (
        f'href="{decide(post, "unhide")}"'
        in as_moderator.get(f"/admin/blog/post/{post.pk}/change/").content.decode()
    )
    as_moderator.post(decide(post, "unhide"))
    post.refresh_from_db()
    assert post.hidden_at is None


def test_user_page_deactivates_and_reactivates(as_moderator, bob):
    page = f"/admin/blog/user/{bob.pk}/change/"
    for decision, is_active in (("deactivate", False), ("reactivate", True)):
        assert f'href="{decide(bob, decision)}"' in as_moderator.get(page).content.decode()
        as_moderator.post(decide(bob, decision))
        bob.refresh_from_db()
        assert bob.is_active is is_active


def test_superuser_and_oneself_cannot_be_deactivated(as_moderator, staff, moderator):
    for user in (staff, moderator):
        assert (
            decide(user, "deactivate")
            not in as_moderator.get(f"/admin/blog/user/{user.pk}/change/").content.decode()
        )
        as_moderator.post(decide(user, "deactivate"))
        report = baker.make(
            Report, reporter=baker.make(User, username=f"r{user}", email=""), person=user
        )
        as_moderator.post(decide(report, "deactivate"))
        user.refresh_from_db()
        assert user.is_active


def test_user_form_cannot_deactivate_account(client, staff, bob):
    client.force_login(staff)
    url = f"/admin/blog/user/{bob.pk}/change/"
    client.post(url, {"username": "bob", "email": bob.email, "about_me": "changed", "language": ""})
    bob.refresh_from_db()
    assert (bob.about_me, bob.is_active) == ("changed", True)


@pytest.mark.parametrize("name", ["nonsense", "reactivate"])
def test_unknown_decision_is_not_found(as_moderator, report, name):
    assert as_moderator.get(decide(report, name)).status_code == 404


def test_view_permission_alone_cannot_decide(client, make_user, moderator, report, post, bob):
    group = Group.objects.get(name="Moderators")
    group.permissions.remove(group.permissions.get(codename="change_report"))
    client.force_login(moderator)
    assert (
        decide(report, "dismiss")
        not in client.get(f"{REPORTS}{report.pk}/change/").content.decode()
    )
    for url in (decide(report, "dismiss"), decide(post, "hide"), decide(bob, "deactivate")):
        assert client.post(url, {"reason": "x"}).status_code == 403
    report.refresh_from_db()
    assert report.handled_at is None


def test_users_without_permissions_are_redirected(client, alice, report):
    for user in (alice, None):
        client.force_login(user) if user else client.logout()
        assert client.get(REPORTS).status_code == 302
        assert client.post(decide(report, "dismiss")).status_code == 302
    report.refresh_from_db()
    assert report.handled_at is None
