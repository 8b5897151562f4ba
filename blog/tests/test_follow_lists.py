import pytest
from model_bakery import baker

from blog.models import Block, Follow, User

pytestmark = pytest.mark.django_db
LISTS = [("followers", "followed", "follower"), ("following", "follower", "followed")]


def make_follows(user, user_field, other_field, count):
    others = baker.make(
        User, username=iter(f"{user_field}{n}" for n in range(count)), email="", _quantity=count
    )
    Follow.objects.bulk_create(Follow(**{user_field: user, other_field: other}) for other in others)
    return others


@pytest.mark.parametrize(("path", "user_field", "other_field"), LISTS)
def test_follow_list_shows_newest_first(client, alice, path, user_field, other_field):
    first, second = make_follows(alice, user_field, other_field, 2)
    baker.make(Follow, **{user_field: first, other_field: second})
    response = client.get(f"/@alice/{path}/")
    assert [person for person, _is_followed in response.context["people"]] == [second, first]


@pytest.mark.parametrize(("path", "user_field", "other_field"), LISTS)
def test_follow_list_marks_users_the_viewer_follows(
    client, alice, bob, path, user_field, other_field
):
    first, second = make_follows(alice, user_field, other_field, 2)
    baker.make(Follow, follower=bob, followed=first)
    client.force_login(bob)
    page = client.get(f"/@alice/{path}/").content.decode()
    assert f"/@{first}/unfollow/" in page
    assert f"/@{second}/follow/" in page


@pytest.mark.parametrize(("path", "user_field", "other_field"), LISTS)
def test_follow_list_is_paginated_in_constant_queries(
    client, alice, bob, path, user_field, other_field, django_assert_num_queries
):
    client.force_login(bob)
    client.get("/")
    make_follows(alice, user_field, other_field, 1)
    # Session, viewer, profile, page, follows of the viewer, latest exports, progress bars.
    with django_assert_num_queries(7):
        client.get(f"/@alice/{path}/")
    more = baker.make(User, username=iter(f"more{n}" for n in range(21)), email="", _quantity=21)
    Follow.objects.bulk_create(Follow(**{user_field: alice, other_field: other}) for other in more)
    with django_assert_num_queries(7):
        response = client.get(f"/@alice/{path}/")
    older = response.context["page"].older
    assert len(client.get(f"/@alice/{path}/", {"before": older}).context["people"]) == 2


@pytest.mark.parametrize("viewer", ["nobody", "bob"])
@pytest.mark.parametrize(("path", "user_field", "other_field"), LISTS)
def test_profile_counts_equal_follow_list_length(
    client, alice, bob, path, user_field, other_field, viewer
):
    visible, inactive, blocked_by_bob, blocking_bob = make_follows(
        alice, user_field, other_field, 4
    )
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    Block.objects.block(bob, blocked_by_bob)
    Block.objects.block(blocking_bob, bob)
    if viewer == "bob":
        client.force_login(bob)
    listed = [person for person, _is_followed in client.get(f"/@alice/{path}/").context["people"]]
    assert listed == ([visible] if viewer == "bob" else [blocking_bob, blocked_by_bob, visible])
    assert getattr(client.get("/@alice/").context["person"], f"{path}_count") == len(listed)


@pytest.mark.parametrize("path", ["followers", "following"])
def test_empty_follow_list_says_nobody(client, alice, path):
    assert "Nobody yet." in client.get(f"/@alice/{path}/").content.decode()


@pytest.mark.parametrize("path", ["followers", "following"])
def test_follow_list_rejects_unknown_user_and_bad_cursor(client, alice, path):
    assert client.get(f"/@nobody/{path}/").status_code == 404
    assert client.get(f"/@alice/{path}/", {"before": "nonsense"}).status_code == 404


@pytest.mark.parametrize("path", ["followers", "following"])
def test_follow_list_rejects_post(client, alice, path):
    assert client.post(f"/@alice/{path}/").status_code == 405
