import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from model_bakery import baker

from blog.models import User

pytestmark = pytest.mark.django_db


def test_a_name_is_unique_whatever_its_case(alice):
    with pytest.raises(IntegrityError):
        baker.make(User, username="ALICE")


def test_an_address_is_unique_whatever_its_case(alice):
    with pytest.raises(IntegrityError):
        baker.make(User, email=alice.email.upper())


def test_many_people_may_have_no_address():
    baker.make(User, email="", _quantity=2)


@pytest.mark.parametrize("name", ["alice", "A.b-c_9", "x" * 64])
def test_a_good_name_is_taken(name):
    User(username=name, password="!").full_clean()


@pytest.mark.parametrize(
    "name", ["", "al ice", "álice", "аlice", "alice\n", "alice@home", "x" * 65, "a/b", "a\0b"]
)
def test_a_bad_name_is_refused(name):
    with pytest.raises(ValidationError) as refused:
        User(username=name, password="!").full_clean()
    assert "username" in refused.value.message_dict


def test_a_taken_name_is_refused_in_words(alice):
    with pytest.raises(ValidationError, match="This name is taken"):
        User(username="Alice", password="!").full_clean()


def test_about_me_has_an_end():
    with pytest.raises(ValidationError):
        User(username="x", password="!", about_me="x" * 281).full_clean()


@pytest.mark.parametrize("zone", ["", "UTC", "Asia/Kolkata", "America/Argentina/Buenos_Aires"])
def test_a_time_zone_is_taken(zone):
    User(username="x", password="!", time_zone=zone).full_clean()


@pytest.mark.parametrize("zone", ["Mars/Olympus", "utc+1", "/etc/localtime", "a\0b"])
def test_what_is_no_time_zone_is_refused(zone):
    with pytest.raises(ValidationError, match="is not a time zone"):
        User(username="x", password="!", time_zone=zone).full_clean()


def test_a_person_is_found_by_name_in_any_case(alice):
    assert User.objects.get_by_natural_key("aLiCe") == alice


def test_an_address_counts_only_once_confirmed(alice):
    assert alice.confirmed_email == alice.email
    newcomer = baker.make(User, email="new@microblog.example")
    assert newcomer.confirmed_email is None


def test_a_superuser_is_confirmed_by_whoever_has_the_shell():
    root = User.objects.create_superuser("root", "Root@microblog.example", "a long one")
    assert root.confirmed_email == "root@microblog.example"


@pytest.mark.parametrize(
    "login", ["alice", "ALICE", "alice@microblog.example", "Alice@Microblog.example"]
)
def test_one_signs_in_by_name_or_address(client, alice, login):
    response = client.post(
        "/accounts/login/", {"login": login, "password": "a walk beside the river"}
    )
    assert response.status_code == 302
    assert response.url == "/"


def test_a_wrong_password_is_refused_with_the_name_kept(client, alice):
    page = client.post("/accounts/login/", {"login": "alice", "password": "wrong"}).content.decode()
    assert 'value="alice"' in page
    assert 'role="alert"' in page


def test_signing_out_takes_a_post(client, alice):
    client.force_login(alice)
    assert "Sign out?" in client.get("/accounts/logout/").content.decode()
    assert "_auth_user_id" in client.session
    assert client.post("/accounts/logout/").url == "/"
    assert "_auth_user_id" not in client.session
