"""The reports in the admin, and what can be done there about them, about posts and about people."""

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
QUEUE = "/admin/blog/report/"


@pytest.fixture
def moderator(make_user):
    """Staff with no other rights than the group's."""
    import_module("blog.migrations.0012_moderators").make(apps, None)
    person = make_user("moderator", is_staff=True)
    person.groups.add(Group.objects.get(name="Moderators"))
    return person


@pytest.fixture
def desk(client, moderator):
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


def test_what_waits_longest_comes_first_and_what_is_closed_last(desk, bob, make_user, staff):
    reporters = [make_user(f"reporter{n}") for n in range(3)]
    now = timezone.now()
    closed, newer, older = [
        baker.make(Report, reporter=reporter, person=bob, created_at=now - timedelta(hours=age))
        for reporter, age in zip(reporters, (3, 1, 2), strict=True)
    ]
    Report.objects.filter(pk=closed.pk).handle(staff, Outcome.DISMISSED)
    assert list(desk.get(QUEUE).context["cl"].result_list) == [older, newer, closed]
    assert list(desk.get(QUEUE, {"state": "open"}).context["cl"].result_list) == [older, newer]
    assert list(desk.get(QUEUE, {"state": "handled"}).context["cl"].result_list) == [closed]
    assert list(desk.get(QUEUE, {"outcome": "DISMISSED"}).context["cl"].result_list) == [closed]


def test_it_counts_the_reports_of_the_same(desk, report, make_user, post, bob):
    baker.make(Report, reporter=make_user("carol"), person=bob, post=post, excerpt="x")
    baker.make(Report, reporter=make_user("dora"), person=bob, excerpt="")
    row = desk.get(QUEUE).context["cl"].result_list[0]
    assert (row.posts_reports, row.persons_reports) == (2, 3)


def test_the_queue_costs_the_same_for_many(desk, report, django_assert_num_queries):
    def look():
        with django_assert_num_queries(6):  # session, person, own and group's rights, number, rows
            assert desk.get(QUEUE).status_code == 200

    desk.get(QUEUE)
    look()
    people = baker.make(User, username=iter(f"p{n}" for n in range(9)), email="", _quantity=9)
    for person in people:
        baker.make(Report, reporter=person, person=report.person, post=report.post, excerpt="x")
    look()


def test_a_report_shows_then_and_now_and_cannot_be_edited(desk, report, post, make_user, bob):
    before = baker.make(Report, reporter=make_user("carol"), person=bob, excerpt="Something older")
    Post.objects.update(body="Nothing for sale")
    url = f"{QUEUE}{report.pk}/change/"
    page = desk.get(url).content.decode()
    for words in ("Buy my boats", "Nothing for sale", "Every day", "alice", "Something older"):
        assert words in page
    assert f"{QUEUE}{before.pk}/change/" in page
    assert 'name="_save"' not in page
    assert desk.post(url, {"reason": "ABUSE"}).status_code == 403


def test_each_decision_is_a_link_to_a_question(desk, report):
    page = desk.get(f"{QUEUE}{report.pk}/change/").content.decode()
    for decision in ("dismiss", "hide", "deactivate"):
        assert f'href="{decide(report, decision)}"' in page
        assert "csrfmiddlewaretoken" in desk.get(decide(report, decision)).content.decode()
    report.refresh_from_db()
    assert report.handled_at is None


def test_dismissing(desk, report, moderator):
    assert desk.post(decide(report, "dismiss")).url == f"{QUEUE}{report.pk}/change/"
    report.refresh_from_db()
    assert (report.outcome, report.handled_by) == (Outcome.DISMISSED, moderator)


def test_hiding_wants_a_reason(desk, report, post):
    assert desk.post(decide(report, "hide"), {"reason": " "}).status_code == 422
    assert desk.post(decide(report, "hide"), {"reason": "x" * 281}).status_code == 422
    assert desk.post(decide(report, "hide"), {"reason": "Advertising"}).status_code == 302
    post.refresh_from_db()
    report.refresh_from_db()
    assert (post.hidden_reason, report.outcome) == ("Advertising", Outcome.HIDDEN)


def test_deactivating(desk, report, bob):
    assert desk.post(decide(report, "deactivate")).status_code == 302
    bob.refresh_from_db()
    report.refresh_from_db()
    assert (bob.is_active, report.outcome) == (False, Outcome.DEACTIVATED)


def test_what_was_decided_meanwhile_is_left_as_it_is(desk, report, staff, bob):
    Report.objects.all().handle(staff, Outcome.HIDDEN)
    response = desk.post(decide(report, "dismiss"), follow=True)
    assert "This cannot be done, or is done already." in response.content.decode()
    report.refresh_from_db()
    assert (report.outcome, report.handled_by) == (Outcome.HIDDEN, staff)


def test_a_deleted_post_cannot_be_hidden(desk, report, post):
    post.delete()
    page = desk.get(f"{QUEUE}{report.pk}/change/").content.decode()
    assert "Deleted" in page
    assert "Buy my boats" in page
    assert decide(report, "hide") not in page
    assert desk.post(decide(report, "hide"), {"reason": "x"}).status_code == 302


def test_a_post_is_shown_again_from_its_own_page(desk, report, post):
    desk.post(decide(post, "hide"), {"reason": "Advertising"})
    report.refresh_from_db()
    assert report.outcome == Outcome.HIDDEN
    assert (
        f'href="{decide(post, "unhide")}"'
        in desk.get(f"/admin/blog/post/{post.pk}/change/").content.decode()
    )
    desk.post(decide(post, "unhide"))
    post.refresh_from_db()
    assert post.hidden_at is None


def test_an_account_is_closed_and_opened_from_its_own_page(desk, bob):
    page = f"/admin/blog/user/{bob.pk}/change/"
    for decision, is_active in (("deactivate", False), ("reactivate", True)):
        assert f'href="{decide(bob, decision)}"' in desk.get(page).content.decode()
        desk.post(decide(bob, decision))
        bob.refresh_from_db()
        assert bob.is_active is is_active


def test_superusers_and_oneself_are_out_of_reach(desk, staff, moderator):
    for person in (staff, moderator):
        assert (
            decide(person, "deactivate")
            not in desk.get(f"/admin/blog/user/{person.pk}/change/").content.decode()
        )
        desk.post(decide(person, "deactivate"))
        report = baker.make(
            Report, reporter=baker.make(User, username=f"r{person}", email=""), person=person
        )
        desk.post(decide(report, "deactivate"))
        person.refresh_from_db()
        assert person.is_active


def test_a_form_does_not_close_an_account_past_the_rules(client, staff, bob):
    client.force_login(staff)
    url = f"/admin/blog/user/{bob.pk}/change/"
    client.post(url, {"username": "bob", "email": bob.email, "about_me": "changed", "language": ""})
    bob.refresh_from_db()
    assert (bob.about_me, bob.is_active) == ("changed", True)


@pytest.mark.parametrize("name", ["nonsense", "reactivate"])
def test_an_unknown_decision_is_not_found(desk, report, name):
    assert desk.get(decide(report, name)).status_code == 404


def test_whoever_may_only_look_decides_nothing(client, make_user, moderator, report, post, bob):
    group = Group.objects.get(name="Moderators")
    group.permissions.remove(group.permissions.get(codename="change_report"))
    client.force_login(moderator)
    assert (
        decide(report, "dismiss") not in client.get(f"{QUEUE}{report.pk}/change/").content.decode()
    )
    for url in (decide(report, "dismiss"), decide(post, "hide"), decide(bob, "deactivate")):
        assert client.post(url, {"reason": "x"}).status_code == 403
    report.refresh_from_db()
    assert report.handled_at is None


def test_people_without_rights_stay_outside(client, alice, report):
    for person in (alice, None):
        client.force_login(person) if person else client.logout()
        assert client.get(QUEUE).status_code == 302
        assert client.post(decide(report, "dismiss")).status_code == 302
    report.refresh_from_db()
    assert report.handled_at is None
