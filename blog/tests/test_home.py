import pytest
from model_bakery import baker

from blog.models import Follow, Post, User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_home_shows_newest_posts_to_visitors(client):
    baker.make(Post, body="first")
    baker.make(Post, body="second")
    page = client.get("/").content.decode()
    assert page.index("second") < page.index("first")


def test_home_offers_visitors_sign_in_but_no_composer(client):
    page = client.get("/").content.decode()
    assert 'href="/accounts/login/"' in page
    assert "<textarea" not in page


def test_home_offers_composer_to_signed_in_users(client, alice):
    client.force_login(alice)
    page = client.get("/").content.decode()
    assert "<textarea" in page
    # Browsers count UTF-16 units, so `maxlength` would reject texts that the server accepts.
    assert "maxlength" not in page


def test_home_escapes_posts(client):
    baker.make(Post, body="<script>alert(1)</script>")
    assert "<script>alert" not in client.get("/").content.decode()


def test_home_query_count_for_many_posts(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get("/")
    baker.make(Post)
    # session, user with badges, latest exports, progress bars, posts, people to follow
    with django_assert_num_queries(6):
        client.get("/")
    baker.make(Post, _quantity=20)
    with django_assert_num_queries(6):
        client.get("/")


def test_home_query_count_for_many_followed_users(client, alice, django_assert_num_queries):
    client.force_login(alice)
    client.get("/")
    for number in range(3):
        people = baker.make(
            User, username=iter(f"p{number}-{n}" for n in range(30)), email="", _quantity=30
        )
        Follow.objects.bulk_create(Follow(follower=alice, followed=person) for person in people)
        baker.make(Post, author=people[0], body="hello", _quantity=25)
        with django_assert_num_queries(5) as queries:
            response = client.get("/")
        assert len(response.context["page"].items) == 20
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_home_without_follows_suggests_explore(client, alice):
    client.force_login(alice)
    page = client.get("/").content.decode()
    assert "Nothing here yet." in page
    assert 'href="/explore/">Find people' in page


def test_home_takes_one_query_for_visitors(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get("/")


def test_home_links_to_older_posts(client):
    baker.make(Post, _quantity=21)
    response = client.get("/")
    cursor = response.context["page"].older
    assert f'href="/?before={cursor}"' in response.content.decode()
    older = client.get("/", {"before": cursor})
    assert len(older.context["page"].items) == 1
    assert "Back to the newest" in older.content.decode()


def test_home_with_invalid_cursor_is_404(client):
    assert client.get("/", {"before": "nonsense"}).status_code == 404


def test_home_rejects_post(client):
    assert client.post("/").status_code == 405


def test_home_welcomes_visitors_with_sign_up_links(client, alice):
    page = client.get("/").content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    assert "Welcome!" in main
    assert 'href="/accounts/signup/">Sign up</a>' in main
    assert 'href="/accounts/login/">Sign in</a>' in main
    client.force_login(alice)
    assert "Welcome!" not in client.get("/").content.decode()
