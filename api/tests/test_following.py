import pytest

from blog import rate_limits
from blog.models import Block, Follow, Notification, User

pytestmark = pytest.mark.django_db

FOLLOWING = "/api/v1/following/"


def test_follow_create_is_idempotent_and_notifies(api_client, alice, bob):
    for _ in range(2):
        response = api_client.put(f"{FOLLOWING}BOB/")
        assert (response.status_code, response.json()["username"]) == (200, "bob")
    assert alice.following.get().followed == bob
    assert Notification.objects.get().user == bob
    (row,) = api_client.get(FOLLOWING).json()["items"]
    assert (row["username"], row["followed_at"]) == (
        "bob",
        alice.following.get().created_at.isoformat()[:-6] + "Z",
    )


def test_follow_delete_is_idempotent(api_client, alice, bob):
    Follow.objects.create(follower=alice, followed=bob)
    assert [api_client.delete(f"{FOLLOWING}bob/").status_code for _ in range(2)] == [204, 204]
    assert not Follow.objects.exists()


@pytest.mark.parametrize("name", ["nobody", "alice", "closed", "blocked"])
def test_follow_of_unavailable_user_is_not_found(api_client, alice, make_user, name):
    make_user("closed", is_active=False)
    Block.objects.block(make_user("blocked"), alice)
    assert api_client.put(f"{FOLLOWING}{name}/").status_code == 404
    assert api_client.delete(f"{FOLLOWING}{name}/").status_code == 404
    assert not Follow.objects.exists()


def test_following_list_omits_closed_accounts(api_client, alice, bob):
    Follow.objects.create(follower=alice, followed=bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert api_client.get(FOLLOWING).json() == {"items": [], "older": None}


def test_following_list_pages_have_constant_query_count(
    api_client, alice, django_assert_num_queries
):
    users = User.objects.bulk_create([User(username=f"p{number}") for number in range(25)])
    for user in users:
        Follow.objects.create(follower=alice, followed=user)
    api_client.get(FOLLOWING)
    with django_assert_num_queries(2):
        first = api_client.get(FOLLOWING).json()
    with django_assert_num_queries(2):
        second = api_client.get(first["older"]).json()
    names = [row["username"] for row in first["items"] + second["items"]]
    assert names == [f"p{number}" for number in range(24, -1, -1)]
    assert second["older"] is None


def test_follow_create_is_rate_limited(api_client, bob, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "follow", rate_limits.Rate(1, 9, 3600))
    assert [api_client.put(f"{FOLLOWING}bob/").status_code for _ in range(2)] == [200, 429]
