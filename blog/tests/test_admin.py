import pytest
from allauth.account.models import EmailAddress
from django.urls import reverse
from model_bakery import baker

from blog.models import Post, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, staff):
    client.force_login(staff)
    return client


def person_form(user, **changed):
    fields = {"username": user.username, "email": user.email, "about_me": "", "language": "", "is_active": "on"}
    return fields | changed


def test_staff_add_a_person_whose_address_counts_as_confirmed(desk):
    secret = "a boat across the lake"
    fields = {"username": "carol", "email": "carol@microblog.example", "usable_password": "true"}
    response = desk.post(reverse("admin:blog_user_add"), fields | {"password1": secret, "password2": secret})
    assert response.status_code == 302
    carol = User.objects.get(username="carol")
    assert carol.check_password(secret)
    assert carol.confirmed_email == "carol@microblog.example"


def test_a_name_that_differs_in_case_only_is_refused(desk, alice):
    secret = "a boat across the lake"
    fields = {"username": "ALICE", "email": "", "usable_password": "true", "password1": secret, "password2": secret}
    assert "This name is taken." in desk.post(reverse("admin:blog_user_add"), fields).content.decode()


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
def test_the_lists_can_be_searched_without_a_query_for_each_row(desk, name, django_assert_max_num_queries):
    baker.make(Post, author__username=iter(f"person{i}" for i in range(9)), author__email="", _quantity=9)
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
