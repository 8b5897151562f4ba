import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import DELETION, LogEntry
from django.urls import reverse
from model_bakery import baker

from blog.accounts import deletion
from blog.models import Post, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff_client(client, staff):
    client.force_login(staff)
    return client


def user_form_data(user, **changes):
    fields = {
        "username": user.username,
        "email": user.email,
        "about_me": "",
        "language": "",
        "is_active": "on",
    }
    return fields | changes


def test_added_user_has_confirmed_address(staff_client):
    password = "a boat across the lake"
    fields = {"username": "carol", "email": "carol@microblog.example", "usable_password": "true"}
    response = staff_client.post(
        reverse("admin:blog_user_add"), fields | {"password1": password, "password2": password}
    )
    assert response.status_code == 302
    carol = User.objects.get(username="carol")
    assert carol.check_password(password)
    assert carol.confirmed_email == "carol@microblog.example"


def test_username_differing_only_in_case_is_rejected(staff_client, alice):
    password = "a boat across the lake"
    fields = {
        "username": "ALICE",
        "email": "",
        "usable_password": "true",
        "password1": password,
        "password2": password,
    }
    assert (
        "This name is taken."
        in staff_client.post(reverse("admin:blog_user_add"), fields).content.decode()
    )


def test_changed_address_replaces_confirmed_address(staff_client, alice):
    url = reverse("admin:blog_user_change", args=[alice.pk])
    assert (
        staff_client.post(url, user_form_data(alice, email="new@microblog.example")).status_code
        == 302
    )
    assert User.objects.get(pk=alice.pk).confirmed_email == "new@microblog.example"


def test_unchanged_address_stays_unconfirmed(staff_client, alice):
    EmailAddress.objects.update(verified=False)
    url = reverse("admin:blog_user_change", args=[alice.pk])
    assert staff_client.post(url, user_form_data(alice, language="es")).status_code == 302
    alice.refresh_from_db()
    assert alice.language == "es"
    assert alice.confirmed_email is None


@pytest.mark.parametrize("name", ["blog_user", "blog_post"])
def test_admin_search_has_no_n_plus_one_queries(staff_client, name, django_assert_max_num_queries):
    baker.make(
        Post, author__username=iter(f"person{i}" for i in range(9)), author__email="", _quantity=9
    )
    with django_assert_max_num_queries(10):
        assert (
            staff_client.get(reverse(f"admin:{name}_changelist"), {"q": "person"}).status_code
            == 200
        )


@pytest.mark.parametrize("page", ["admin:blog_user_add", "admin:blog_post_add"])
def test_add_forms_are_shown(staff_client, page):
    assert staff_client.get(reverse(page)).status_code == 200


def test_post_change_form_is_shown(staff_client):
    post = baker.make(Post)
    assert staff_client.get(reverse("admin:blog_post_change", args=[post.pk])).status_code == 200


def test_admin_rejects_non_staff(client, alice):
    client.force_login(alice)
    assert client.get(reverse("admin:blog_user_changelist")).status_code == 302


def test_user_deletion_runs_callbacks_and_sends_mail(
    staff_client, alice, capture_mails, monkeypatch
):
    deleted: list[User] = []
    monkeypatch.setattr(deletion, "_callbacks", [deleted.append])
    with capture_mails() as mails:
        assert (
            staff_client.post(
                reverse("admin:blog_user_delete", args=[alice.pk]), {"post": "yes"}
            ).status_code
            == 302
        )
    assert [user.username for user in deleted] == ["alice"]
    assert not User.objects.filter(username="alice").exists()
    assert "The people who run this site have deleted the account alice" in mails[0].body
    assert LogEntry.objects.get(action_flag=DELETION).object_repr == "alice"


def test_bulk_user_deletion_is_atomic(staff_client, alice, bob, monkeypatch):
    def fail_for_bob(user):
        deleted.append(user.username)
        if user == bob:
            raise RuntimeError("bob")

    deleted: list[str] = []
    monkeypatch.setattr(deletion, "_callbacks", [fail_for_bob])
    form = {"action": "delete_selected", "_selected_action": [alice.pk, bob.pk], "post": "yes"}
    with pytest.raises(RuntimeError, match="bob"):
        staff_client.post(reverse("admin:blog_user_changelist"), form)
    assert User.objects.filter(pk__in=[alice.pk, bob.pk]).count() == 2
    monkeypatch.setattr(deletion, "_callbacks", [lambda user: deleted.append(user.username)])
    staff_client.post(reverse("admin:blog_user_changelist"), form)
    assert not User.objects.filter(pk__in=[alice.pk, bob.pk], is_active=True).exists()
    assert deleted.count("alice") == 2
    assert LogEntry.objects.filter(action_flag=DELETION, object_repr="bob").exists()
