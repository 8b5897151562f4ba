import pytest
from model_bakery import baker

from blog.models import Follow, Post, User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_anyone_reads_the_newest_posts(client):
    baker.make(Post, body="first")
    baker.make(Post, body="second")
    page = client.get("/").content.decode()
    assert page.index("second") < page.index("first")


def test_a_visitor_is_asked_to_sign_in_and_cannot_write(client):
    page = client.get("/").content.decode()
    assert 'href="/accounts/login/"' in page
    assert "<textarea" not in page


def test_whoever_is_signed_in_can_write(client, alice):
    client.force_login(alice)
    page = client.get("/").content.decode()
    assert "<textarea" in page
    # Browsers count UTF-16 units: they would stop a person before the server does.
    assert "maxlength" not in page


def test_what_people_write_is_escaped(client):
    baker.make(Post, body="<script>alert(1)</script>")
    assert "<script>alert" not in client.get("/").content.decode()


def test_it_takes_as_many_queries_for_many_posts_as_for_one(
    client, alice, django_assert_num_queries
):
    client.force_login(alice)
    client.get("/")
    baker.make(Post)
    with django_assert_num_queries(5):  # session, person, news, bars, posts
        client.get("/")
    baker.make(Post, _quantity=20)
    with django_assert_num_queries(5):
        client.get("/")


def test_it_takes_as_many_for_many_followed(client, alice, django_assert_num_queries):
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


def test_whoever_follows_nobody_is_told_what_to_do(client, alice):
    client.force_login(alice)
    page = client.get("/").content.decode()
    assert "Nothing here yet." in page
    assert 'href="/explore/">Find people' in page


def test_a_visitor_costs_one_query(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get("/")


def test_older_posts_are_a_link_away(client):
    baker.make(Post, _quantity=21)
    response = client.get("/")
    cursor = response.context["page"].older
    assert f'href="/?before={cursor}"' in response.content.decode()
    older = client.get("/", {"before": cursor})
    assert len(older.context["page"].items) == 1
    assert "Back to the newest" in older.content.decode()


def test_a_bad_cursor_is_not_found(client):
    assert client.get("/", {"before": "nonsense"}).status_code == 404


def test_it_cannot_be_posted_to(client):
    assert client.post("/").status_code == 405


def test_a_visitor_is_welcomed_and_shown_both_ways_in(client, alice):
    page = client.get("/").content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    assert "Welcome!" in main
    assert 'href="/accounts/signup/">Sign up</a>' in main
    assert 'href="/accounts/login/">Sign in</a>' in main
    client.force_login(alice)
    assert "Welcome!" not in client.get("/").content.decode()
