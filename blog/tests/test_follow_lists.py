import pytest
from model_bakery import baker

from blog.models import Block, Follow, User

pytestmark = pytest.mark.django_db
LISTS = [("followers", "followed", "follower"), ("following", "follower", "followed")]


def follows(person, mine, theirs, count):
    people = baker.make(
        User, username=iter(f"{mine}{n}" for n in range(count)), email="", _quantity=count
    )
    Follow.objects.bulk_create(Follow(**{mine: person, theirs: other}) for other in people)
    return people


@pytest.mark.parametrize(("path", "mine", "theirs"), LISTS)
def test_it_shows_the_newest_first(client, alice, path, mine, theirs):
    first, second = follows(alice, mine, theirs, 2)
    baker.make(Follow, **{mine: first, theirs: second})
    response = client.get(f"/@alice/{path}/")
    assert [person for person, _is_followed in response.context["people"]] == [second, first]


@pytest.mark.parametrize(("path", "mine", "theirs"), LISTS)
def test_it_says_whom_the_reader_follows(client, alice, bob, path, mine, theirs):
    first, second = follows(alice, mine, theirs, 2)
    baker.make(Follow, follower=bob, followed=first)
    client.force_login(bob)
    page = client.get(f"/@alice/{path}/").content.decode()
    assert f"/@{first}/unfollow/" in page
    assert f"/@{second}/follow/" in page


@pytest.mark.parametrize(("path", "mine", "theirs"), LISTS)
def test_it_is_paged_and_costs_the_same_for_many(
    client, alice, bob, path, mine, theirs, django_assert_num_queries
):
    client.force_login(bob)
    client.get("/")
    follows(alice, mine, theirs, 1)
    with django_assert_num_queries(
        7
    ):  # session, reader, person, page, whom the reader follows, news, bars
        client.get(f"/@alice/{path}/")
    more = baker.make(User, username=iter(f"more{n}" for n in range(21)), email="", _quantity=21)
    Follow.objects.bulk_create(Follow(**{mine: alice, theirs: other}) for other in more)
    with django_assert_num_queries(7):
        response = client.get(f"/@alice/{path}/")
    older = response.context["page"].older
    assert len(client.get(f"/@alice/{path}/", {"before": older}).context["people"]) == 2


@pytest.mark.parametrize("viewer", ["nobody", "bob"])
@pytest.mark.parametrize(("path", "mine", "theirs"), LISTS)
def test_a_profile_counts_whom_the_list_shows(client, alice, bob, path, mine, theirs, viewer):
    shown, closed, by_bob, of_bob = follows(alice, mine, theirs, 4)
    User.objects.filter(pk=closed.pk).update(is_active=False)
    Block.objects.block(bob, by_bob)
    Block.objects.block(of_bob, bob)
    if viewer == "bob":
        client.force_login(bob)
    listed = [person for person, _is_followed in client.get(f"/@alice/{path}/").context["people"]]
    assert listed == ([shown] if viewer == "bob" else [of_bob, by_bob, shown])
    assert getattr(client.get("/@alice/").context["person"], f"{path}_count") == len(listed)


@pytest.mark.parametrize("path", ["followers", "following"])
def test_nobody_is_a_list_too(client, alice, path):
    assert "Nobody yet." in client.get(f"/@alice/{path}/").content.decode()


@pytest.mark.parametrize("path", ["followers", "following"])
def test_what_is_not_there_is_not_found(client, alice, path):
    assert client.get(f"/@nobody/{path}/").status_code == 404
    assert client.get(f"/@alice/{path}/", {"before": "nonsense"}).status_code == 404


@pytest.mark.parametrize("path", ["followers", "following"])
def test_it_cannot_be_posted_to(client, alice, path):
    assert client.post(f"/@alice/{path}/").status_code == 405
