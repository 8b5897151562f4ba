import pytest
from django.db import IntegrityError, transaction
from model_bakery import baker

from blog.models import Follow

pytestmark = pytest.mark.django_db


def is_followed(alice, bob):
    return Follow.objects.filter(follower=alice, followed=bob).exists()


def test_follow_redirects_to_profile(as_alice, alice, bob):
    response = as_alice.post("/@bob/follow/")
    assert response.url == "/@bob/"
    assert is_followed(alice, bob)
    assert not is_followed(bob, alice)
    assert "Unfollow" in as_alice.get("/@bob/").content.decode()


def test_unfollow_redirects_to_profile(as_alice, alice, bob):
    baker.make(Follow, follower=alice, followed=bob)
    assert as_alice.post("/@BOB/unfollow/").url == "/@bob/"
    assert not is_followed(alice, bob)
    assert "Unfollow" not in as_alice.get("/@bob/").content.decode()


@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_repeated_follow_or_unfollow_changes_nothing(as_alice, alice, bob, verb):
    for _ in range(2):
        assert as_alice.post(f"/@bob/{verb}/").status_code == 302
    assert is_followed(alice, bob) is (verb == "follow")


def test_unfollow_keeps_other_follows(as_alice, alice, bob, staff):
    baker.make(Follow, follower=alice, followed=staff)
    baker.make(Follow, follower=staff, followed=bob)
    as_alice.post("/@bob/unfollow/")
    assert Follow.objects.count() == 2


@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_follow_redirects_back_to_list(as_alice, bob, verb):
    assert as_alice.post(f"/@bob/{verb}/", {"next": "/@bob/followers/"}).url == "/@bob/followers/"


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"]
)
def test_follow_does_not_redirect_to_other_site(as_alice, bob, url):
    assert as_alice.post("/@bob/follow/", {"next": url}).url == "/@bob/"


def test_follow_by_script_returns_only_button(as_alice, bob):
    page = as_alice.post("/@bob/follow/", headers={"x-fragment": "true"}).content.decode()
    assert "/@bob/unfollow/" in page
    assert "<b>1</b> follower" in page
    assert "<html" not in page


@pytest.mark.parametrize("name", ["alice", "ALICE", "nobody", "no%20body"])
@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_following_oneself_or_unknown_user_is_not_found(as_alice, name, verb):
    assert as_alice.post(f"/@{name}/{verb}/").status_code == 404
    assert not Follow.objects.exists()


@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_anonymous_follow_redirects_to_login(client, bob, verb):
    assert client.post(f"/@bob/{verb}/").url == "/accounts/login/?next=/%40bob/"
    assert not Follow.objects.exists()


@pytest.mark.parametrize("verb", ["follow", "unfollow"])
def test_follow_rejects_get(as_alice, bob, verb):
    assert as_alice.get(f"/@bob/{verb}/").status_code == 405


def test_database_refuses_duplicate_and_self_follow(alice, bob):
    baker.make(Follow, follower=alice, followed=bob)
    for followed in (alice, bob):
        with pytest.raises(IntegrityError), transaction.atomic():
            Follow.objects.create(follower=alice, followed=followed)


@pytest.mark.parametrize("side", ["follower", "followed"])
def test_follow_is_deleted_with_either_user(alice, bob, side):
    getattr(baker.make(Follow, follower=alice, followed=bob), side).delete()
    assert not Follow.objects.exists()
