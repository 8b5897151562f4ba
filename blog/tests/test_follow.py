import pytest
from django.db import IntegrityError, transaction
from model_bakery import baker

from blog.models import Follow

pytestmark = pytest.mark.django_db


def is_followed(alice, bob):
    return Follow.objects.filter(follower=alice, followed=bob).exists()


def test_following_leads_to_the_profile(as_alice, alice, bob):
    response = as_alice.post("/@bob/follow/")
    assert response.url == "/@bob/"
    assert is_followed(alice, bob)
    assert not is_followed(bob, alice)
    assert "Unfollow" in as_alice.get("/@bob/").content.decode()


def test_and_so_does_the_end_of_it(as_alice, alice, bob):
    baker.make(Follow, follower=alice, followed=bob)
    assert as_alice.post("/@BOB/unfollow/").url == "/@bob/"
    assert not is_followed(alice, bob)
    assert "Unfollow" not in as_alice.get("/@bob/").content.decode()


@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_twice_is_as_good_as_once(as_alice, alice, bob, verb):
    for _ in range(2):
        assert as_alice.post(f"/@bob/{verb}/").status_code == 302
    assert is_followed(alice, bob) is (verb == "follow")


def test_ones_others_are_left_alone(as_alice, alice, bob, staff):
    baker.make(Follow, follower=alice, followed=staff)
    baker.make(Follow, follower=staff, followed=bob)
    as_alice.post("/@bob/unfollow/")
    assert Follow.objects.count() == 2


@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_a_list_is_where_its_button_leads(as_alice, bob, verb):
    assert as_alice.post(f"/@bob/{verb}/", {"next": "/@bob/followers/"}).url == "/@bob/followers/"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"]
)
def test_it_leads_to_no_other_site(as_alice, bob, elsewhere):
    assert as_alice.post("/@bob/follow/", {"next": elsewhere}).url == "/@bob/"


def test_a_script_gets_the_new_state_alone(as_alice, bob):
    page = as_alice.post("/@bob/follow/", headers={"x-fragment": "true"}).content.decode()
    assert "/@bob/unfollow/" in page
    assert "<b>1</b> follower" in page
    assert "<html" not in page


@pytest.mark.parametrize("name", ["alice", "ALICE", "nobody", "no%20body"])
@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_there_must_be_somebody_else_of_that_name(as_alice, name, verb):
    assert as_alice.post(f"/@{name}/{verb}/").status_code == 404
    assert not Follow.objects.exists()


@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_a_visitor_signs_in_and_comes_back_to_the_person(client, bob, verb):
    assert client.post(f"/@bob/{verb}/").url == "/accounts/login/?next=/%40bob/"
    assert not Follow.objects.exists()


@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_it_is_for_posting_only(as_alice, bob, verb):
    assert as_alice.get(f"/@bob/{verb}/").status_code == 405


def test_the_database_refuses_what_cannot_be(alice, bob):
    baker.make(Follow, follower=alice, followed=bob)
    for followed in (alice, bob):
        with pytest.raises(IntegrityError), transaction.atomic():
            Follow.objects.create(follower=alice, followed=followed)


@pytest.mark.parametrize("side", ["follower", "followed"])
def test_it_goes_with_either_person(alice, bob, side):
    getattr(baker.make(Follow, follower=alice, followed=bob), side).delete()
    assert not Follow.objects.exists()
