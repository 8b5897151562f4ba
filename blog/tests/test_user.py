import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from model_bakery import baker

from blog.models import User

pytestmark = pytest.mark.django_db


def test_username_is_unique_ignoring_case(alice):
    with pytest.raises(IntegrityError):
        baker.make(User, username="ALICE")


def test_email_is_unique_ignoring_case(alice):
    with pytest.raises(IntegrityError):
        baker.make(User, email=alice.email.upper())


def test_email_may_be_empty_for_many_users():
    baker.make(User, email="", _quantity=2)


@pytest.mark.parametrize("name", ["alice", "A.b-c_9", "x" * 64])
def test_valid_username_is_accepted(name):
    User(username=name, password="!").full_clean()


@pytest.mark.parametrize(
    "name", ["", "al ice", "álice", "аlice", "alice\n", "alice@home", "x" * 65, "a/b", "a\0b"]
)
def test_invalid_username_is_rejected(name):
    with pytest.raises(ValidationError) as error:
        User(username=name, password="!").full_clean()
    assert "username" in error.value.message_dict


def test_taken_username_is_rejected_with_message(alice):
    with pytest.raises(ValidationError, match="This name is taken"):
        User(username="Alice", password="!").full_clean()


def test_too_long_about_me_is_rejected():
    with pytest.raises(ValidationError):
        User(username="x", password="!", about_me="x" * 281).full_clean()


@pytest.mark.parametrize("zone", ["", "UTC", "Asia/Kolkata", "America/Argentina/Buenos_Aires"])
def test_valid_time_zone_is_accepted(zone):
    User(username="x", password="!", time_zone=zone).full_clean()


@pytest.mark.parametrize("zone", ["Mars/Olympus", "utc+1", "/etc/localtime", "a\0b"])
def test_invalid_time_zone_is_rejected(zone):
    with pytest.raises(ValidationError, match="is not a time zone"):
        User(username="x", password="!", time_zone=zone).full_clean()


def test_user_is_found_by_name_ignoring_case(alice):
    assert User.objects.get_by_natural_key("aLiCe") == alice


def test_unconfirmed_email_is_not_returned(alice):
    assert alice.confirmed_email == alice.email
    newcomer = baker.make(User, email="new@microblog.example")
    assert newcomer.confirmed_email is None


def test_created_superuser_has_confirmed_email():
    root = User.objects.create_superuser("root", "Root@microblog.example", "a long one")
    assert root.confirmed_email == "root@microblog.example"


@pytest.mark.parametrize(
    "login", ["alice", "ALICE", "alice@microblog.example", "Alice@Microblog.example"]
)
def test_login_accepts_username_or_email(client, alice, login):
    response = client.post(
        "/accounts/login/", {"login": login, "password": "a walk beside the river"}
    )
    assert response.status_code == 302
    assert response.url == "/"


def test_wrong_password_is_rejected_and_name_kept(client, alice):
    page = client.post("/accounts/login/", {"login": "alice", "password": "wrong"}).content.decode()
    assert 'value="alice"' in page
    assert 'role="alert"' in page


def test_logout_requires_post(client, alice):
    client.force_login(alice)
    assert "Sign out?" in client.get("/accounts/logout/").content.decode()
    assert "_auth_user_id" in client.session
    assert client.post("/accounts/logout/").url == "/"
    assert "_auth_user_id" not in client.session
