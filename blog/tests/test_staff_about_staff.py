"""Only superusers decide about staff: in the admin, staff with all permissions cannot."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from model_bakery import baker

from blog.accounts.allauth_internals import TOTP
from blog.models import Post, Report, User
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture
def as_manager(client, make_user):
    """Sign in a member of staff with every permission, who is not a superuser."""
    manager = make_user("manager", is_staff=True)
    manager.user_permissions.set(Permission.objects.all())
    client.force_login(manager)
    return client


@pytest.fixture(params=["staff", "closed staff", "superuser"])
def colleague(request, make_user):
    fields = {
        "is_active": request.param != "closed staff",
        "is_superuser": "super" in request.param,
    }
    return make_user("colleague", is_staff=True, **fields)


def page(name, *args):
    return reverse(f"admin:{name}", args=args)


@pytest.mark.parametrize("decision", ["deactivate", "reactivate"])
def test_account_of_staff_is_neither_closed_nor_reopened(as_manager, colleague, decision):
    before = colleague.is_active
    as_manager.post(page("blog_user_decide", colleague.pk, decision))
    colleague.refresh_from_db()
    assert colleague.is_active is before
    change_page = as_manager.get(page("blog_user_change", colleague.pk)).content.decode()
    assert "/decide/" not in change_page


def test_staff_are_not_edited(as_manager, colleague):
    url = page("blog_user_change", colleague.pk)
    data = {"username": "colleague", "email": "manager@elsewhere.example", "language": ""}
    assert as_manager.post(url, data).status_code == 403
    assert User.objects.get(pk=colleague.pk).email == colleague.email
    new = {"usable_password": "true", "password1": "rain in june", "password2": "rain in june"}
    url = reverse("admin:auth_user_password_change", args=[colleague.pk])
    assert as_manager.post(url, new).status_code == 403
    assert User.objects.get(pk=colleague.pk).check_password(PASSWORD)


@pytest.mark.parametrize("is_bulk", [False, True])
def test_staff_are_not_deleted(as_manager, colleague, alice, is_bulk):
    if is_bulk:
        data = {"_selected_action": [colleague.pk, alice.pk], "action": "delete_selected"}
        response = as_manager.post(page("blog_user_changelist"), data | {"post": "yes"})
    else:
        response = as_manager.post(page("blog_user_delete", colleague.pk), {"post": "yes"})
    assert response.status_code == 403
    assert User.objects.filter(pk__in=[colleague.pk, alice.pk]).count() == 2
    assert not alice.deletions.exists()


@pytest.mark.parametrize("is_bulk", [False, True])
def test_second_factor_of_staff_is_not_removed(as_manager, colleague, is_bulk):
    pk = TOTP.activate(colleague, SECRET).instance.pk
    if is_bulk:
        data = {"_selected_action": [pk], "action": "delete_selected", "post": "yes"}
        response = as_manager.post(page("mfa_authenticator_changelist"), data)
    else:
        response = as_manager.post(page("mfa_authenticator_delete", pk), {"post": "yes"})
    assert response.status_code == 403
    assert Authenticator.objects.filter(pk=pk).exists()


@pytest.mark.parametrize("decision", ["dismiss", "hide", "deactivate"])
def test_reports_about_staff_are_left_to_superusers(as_manager, alice, colleague, decision):
    post = baker.make(Post, author=colleague, body="Buy")
    report = baker.make(Report, reporter=alice, person=colleague, post=post, excerpt="Buy")
    url = page("blog_report_decide", report.pk, decision)
    as_manager.post(url, {"reason": "Advertising"})
    report.refresh_from_db()
    post.refresh_from_db()
    assert (report.handled_at, post.hidden_at) == (None, None)


def test_posts_of_staff_are_left_to_superusers(as_manager, colleague):
    post = baker.make(Post, author=colleague, body="Hello")
    as_manager.post(page("blog_post_decide", post.pk, "hide"), {"reason": "Advertising"})
    data = {"author": colleague.pk, "body": "changed"}
    assert as_manager.post(page("blog_post_change", post.pk), data).status_code == 403
    assert as_manager.post(page("blog_post_delete", post.pk), {"post": "yes"}).status_code == 403
    post.refresh_from_db()
    assert (post.body, post.hidden_at) == ("Hello", None)


def test_nobody_makes_staff_but_superusers(as_manager, alice):
    """A permission to change accounts does not allow to take or give others."""
    url = page("blog_user_change", alice.pk)
    data = {"username": "alice", "email": alice.email, "about_me": "", "language": ""}
    rights = {"is_staff": "on", "is_superuser": "on", "groups": []}
    assert as_manager.post(url, data | rights).status_code == 302
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser) == (False, False)
    manager = User.objects.get(username="manager")
    assert as_manager.post(page("blog_user_change", manager.pk), rights).status_code == 403


def test_roles_are_left_to_superusers(as_manager):
    group = Group.objects.create(name="Helpers")
    assert as_manager.post(page("auth_group_change", group.pk), {"name": "x"}).status_code == 403
    assert as_manager.post(page("auth_group_add"), {"name": "y"}).status_code == 403
    assert as_manager.post(page("auth_group_delete", group.pk), {"post": "yes"}).status_code == 403
    assert Group.objects.get(pk=group.pk).name == "Helpers"


def test_manager_decides_about_others(as_manager, alice):
    as_manager.post(page("blog_user_decide", alice.pk, "deactivate"))
    alice.refresh_from_db()
    assert not alice.is_active


def test_superuser_decides_about_staff(client, staff, make_user):
    colleague = make_user("colleague", is_staff=True)
    client.force_login(staff)
    client.post(page("blog_user_decide", colleague.pk, "deactivate"))
    colleague.refresh_from_db()
    assert not colleague.is_active
    client.post(page("blog_user_decide", colleague.pk, "reactivate"))
    colleague.refresh_from_db()
    assert colleague.is_active
