import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import DELETION, LogEntry
from django.urls import reverse
from model_bakery import baker

from blog.accounts import deletion
from blog.models import Post, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, staff):
    client.force_login(staff)
    return client


def person_form(user, **changed):
    fields = {
        "username": user.username,
        "email": user.email,
        "about_me": "",
        "language": "",
        "is_active": "on",
    }
    return fields | changed


def test_staff_add_a_person_whose_address_counts_as_confirmed(desk):
    secret = "a boat across the lake"
    fields = {"username": "carol", "email": "carol@microblog.example", "usable_password": "true"}
    response = desk.post(
        reverse("admin:blog_user_add"), fields | {"password1": secret, "password2": secret}
    )
    assert response.status_code == 302
    carol = User.objects.get(username="carol")
    assert carol.check_password(secret)
    assert carol.confirmed_email == "carol@microblog.example"


def test_a_name_that_differs_in_case_only_is_refused(desk, alice):
    secret = "a boat across the lake"
    fields = {
        "username": "ALICE",
        "email": "",
        "usable_password": "true",
        "password1": secret,
        "password2": secret,
    }
    assert (
        "This name is taken." in desk.post(reverse("admin:blog_user_add"), fields).content.decode()
    )


def test_an_address_that_staff_enter_replaces_the_old_one(desk, alice):
    url = reverse("admin:blog_user_change", args=[alice.pk])
    assert desk.post(url, person_form(alice, email="new@microblog.example")).status_code == 302
    assert User.objects.get(pk=alice.pk).confirmed_email == "new@microblog.example"


def test_an_unchanged_address_is_left_alone(desk, alice):
    EmailAddress.objects.update(verified=False)
    url = reverse("admin:blog_user_change", args=[alice.pk])
    assert desk.post(url, person_form(alice, language="es")).status_code == 302
    alice.refresh_from_db()
    assert alice.language == "es"
    assert alice.confirmed_email is None


@pytest.mark.parametrize("name", ["blog_user", "blog_post"])
def test_the_lists_can_be_searched_without_a_query_for_each_row(
    desk, name, django_assert_max_num_queries
):
    baker.make(
        Post, author__username=iter(f"person{i}" for i in range(9)), author__email="", _quantity=9
    )
    with django_assert_max_num_queries(10):
        assert desk.get(reverse(f"admin:{name}_changelist"), {"q": "person"}).status_code == 200


@pytest.mark.parametrize("page", ["admin:blog_user_add", "admin:blog_post_add"])
def test_the_forms_open(desk, page):
    assert desk.get(reverse(page)).status_code == 200


def test_a_post_can_be_opened(desk):
    post = baker.make(Post)
    assert desk.get(reverse("admin:blog_post_change", args=[post.pk])).status_code == 200


def test_people_without_rights_stay_outside(client, alice):
    client.force_login(alice)
    assert client.get(reverse("admin:blog_user_changelist")).status_code == 302


def test_deleting_a_person_tells_them_and_whoever_keeps_things_of_theirs(
    desk, alice, capture_mails, monkeypatch
):
    told: list[User] = []
    monkeypatch.setattr(deletion, "_callbacks", [told.append])
    with capture_mails() as mails:
        assert (
            desk.post(
                reverse("admin:blog_user_delete", args=[alice.pk]), {"post": "yes"}
            ).status_code
            == 302
        )
    assert [user.username for user in told] == ["alice"]
    assert not User.objects.filter(username="alice").exists()
    assert "The people who run this site have deleted the account alice" in mails[0].body
    assert LogEntry.objects.get(action_flag=DELETION).object_repr == "alice"


def test_several_are_deleted_alike_or_none(desk, alice, bob, monkeypatch):
    def refuse_bob(user):
        told.append(user.username)
        if user == bob:
            raise RuntimeError("bob")

    told: list[str] = []
    monkeypatch.setattr(deletion, "_callbacks", [refuse_bob])
    form = {"action": "delete_selected", "_selected_action": [alice.pk, bob.pk], "post": "yes"}
    with pytest.raises(RuntimeError, match="bob"):
        desk.post(reverse("admin:blog_user_changelist"), form)
    assert User.objects.filter(pk__in=[alice.pk, bob.pk]).count() == 2
    monkeypatch.setattr(deletion, "_callbacks", [lambda user: told.append(user.username)])
    desk.post(reverse("admin:blog_user_changelist"), form)
    assert not User.objects.filter(pk__in=[alice.pk, bob.pk]).exists()
    assert told.count("alice") == 2
    assert LogEntry.objects.filter(action_flag=DELETION, object_repr="bob").exists()
