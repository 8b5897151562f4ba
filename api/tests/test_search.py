import pytest
from django.utils import timezone
from model_bakery import baker

from blog import rate_limits
from blog.models import Block, Mute, Post, User

pytestmark = pytest.mark.django_db

POSTS = "/api/v1/search/posts/"
PEOPLE = "/api/v1/search/people/"


def items(response, field):
    assert response.status_code == 200
    return [item[field] for item in response.json()["items"]]


def test_posts_are_found_in_pages(api_client, bob):
    for number in range(45):
        baker.make(Post, author=bob, body=f"Zürich {number}")
    address, seen = f"{POSTS}?q=zurich", []
    while address:
        page = api_client.get(address)
        seen += items(page, "body")
        address = page.json()["next"]
    assert sorted(seen) == sorted(f"Zürich {number}" for number in range(45))
    assert (page.json()["count"], page.json()["has_more"]) == (45, False)


def test_people_are_found_by_name_and_description(api_client, alice, bob):
    User.objects.get(pk=bob.pk).save()
    alice.about_me = "Straßenmusik"
    alice.save()
    assert items(api_client.get(PEOPLE, {"q": "BO"}), "username") == ["bob"]
    assert items(api_client.get(PEOPLE, {"q": "strassen"}), "username") == ["alice"]


@pytest.mark.parametrize("cause", ["blocked", "muted", "hidden", "closed"])
def test_invisible_posts_are_not_found(api_client, alice, bob, cause):
    baker.make(Post, author=bob, body="train")
    assert items(api_client.get(POSTS, {"q": "train"}), "body") == ["train"]
    if cause == "blocked":
        Block.objects.block(bob, alice)
    elif cause == "muted":
        Mute.objects.create(muter=alice, muted=bob)
    elif cause == "hidden":
        Post.objects.update(hidden_at=timezone.now())
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert items(api_client.get(POSTS, {"q": "train"}), "body") == []
    is_found = cause == "muted" or cause == "hidden"
    assert items(api_client.get(PEOPLE, {"q": "bob"}), "username") == (["bob"] if is_found else [])


@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        ({}, "q", ""),
        ({"q": "!?"}, "q", "Enter at least one letter or digit."),
        ({"q": ""}, "q", "Enter at least one letter or digit."),
        ({"q": "a", "from": "x"}, "from", "This must be a whole number."),
        ({"q": "a", "from": "-1"}, "from", "This number is too small."),
        ({"q": "a", "from": "201"}, "from", "This number is too large."),
    ],
)
@pytest.mark.parametrize("path", [POSTS, PEOPLE])
def test_invalid_search_is_named(api_client, path, query, field, detail):
    response = api_client.get(path, query)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["field"] == field
    assert detail in error["detail"]


def test_search_shares_rate_limit_with_pages(api_client, client, alice, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "search", rate_limits.Rate(1, 9, 3600))
    client.force_login(alice)
    client.get("/search/", {"q": "a"})
    assert api_client.get(PEOPLE, {"q": "a"}).status_code == 429
