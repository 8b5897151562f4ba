"""What the API answers when it does not do as it is told: always a problem, never a page."""

import pytest
from django.contrib.sessions.models import Session

from api.schemas import ProfileOut
from blog import rate_limits as limits

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PROFILE = "/api/v1/profile/"
POSTS = "/api/v1/posts/"


def check(answer, status, **more):
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert {name: problem[name] for name in more} == more


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer mb_",
        "Bearer mb_" + "x" * 43,
        "Basic YTpi",
        "Bearer é",
        "mb_x",
    ],
)
def test_without_a_token_that_counts_nothing_is_told(client, authorization):
    headers = {"authorization": authorization} if authorization is not None else {}
    answer = client.get(PROFILE, headers=headers)
    check(answer, 401, title="Not signed in")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer["Cache-Control"] == "no-store"


def test_a_session_is_no_token(client, alice, django_assert_num_queries):
    client.force_login(alice)
    with django_assert_num_queries(0):
        check(client.get(PROFILE), 401)


def test_a_token_needs_no_session_and_makes_none(api_client, alice):
    answer = api_client.post(POSTS, {"body": "Hello"}, content_type="application/json")
    assert answer.status_code == 201
    assert not answer.cookies
    assert "Cookie" not in answer["Vary"]
    assert not Session.objects.exists()


def test_a_token_is_nothing_to_the_pages(api_client):
    assert api_client.get("/settings/").url.startswith("/accounts/login/")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", POSTS),
        ("patch", PROFILE),
        ("put", "/api/v1/following/bob/"),
        ("delete", "/api/v1/following/bob/"),
        ("post", "/api/v1/exports/"),
        ("delete", POSTS + "1/"),
    ],
)
def test_a_token_that_may_only_read_changes_nothing(make_api_client, alice, bob, method, path):
    reader = make_api_client(alice, is_read_only=True)
    assert reader.get(PROFILE).status_code == 200
    check(getattr(reader, method)(path), 403, detail="This token may only read.")


@pytest.mark.parametrize(
    "path", ["/api/v1/", "/api/v1/nothing/", "/api/v1/posts", "/api/v2/posts/", "/api/nothing"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_address_is_a_problem_too(api_client, method, path):
    check(getattr(api_client, method)(path), 404)


def test_the_wrong_method_is_told_which_are_right(api_client):
    answer = api_client.put(POSTS)
    check(answer, 405)
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize("body", ["{", b"\xff", '{"body": "a" "b"}', "[" * 100_000])
def test_what_is_not_json_cannot_be_read(api_client, body):
    check(api_client.post(POSTS, body, content_type="application/json"), 400)


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ("{}", "body", "This is needed."),
        ('{"body": "a", "more": 1}', "more", "There is no such field."),
        ("[]", "", "This is not valid."),
        ('{"body": "a", "\\ud83e": 1}', "", "This is not valid."),
    ],
)
def test_what_has_the_wrong_shape_is_told_field_by_field(api_client, body, field, words):
    check(
        api_client.post(POSTS, body, content_type="application/json"),
        422,
        errors=[{"field": field, "detail": words}],
    )


def test_too_often_says_when_to_go_on(api_client, alice, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(limits.RATES, "api", limits.Rate(2, 9, 3600))
    assert [api_client.get(PROFILE).status_code for _ in range(2)] == [200, 200]
    answer = api_client.get(PROFILE)
    check(answer, 429, title="Too often")
    assert 0 < int(answer["Retry-After"]) <= 3600


def test_guesses_count_for_the_address(client, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(limits.RATES, "api", limits.Rate(9, 2, 3600))
    guesses = [
        client.get(PROFILE, headers={"authorization": f"Bearer mb_{n}"}).status_code
        for n in range(3)
    ]
    assert guesses == [401, 401, 429]


def test_posts_are_limited_as_on_the_pages(api_client, client, alice, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(limits.RATES, "post", limits.Rate(1, 9, 3600))
    client.force_login(alice)
    client.post("/posts/", {"body": "On the page"})
    check(api_client.post(POSTS, {"body": "Hello"}, content_type="application/json"), 429)
    assert alice.posts.count() == 1


@pytest.mark.parametrize("debug", [True, False])
def test_our_mistakes_are_told_without_details(
    make_api_client, alice, settings, monkeypatch, debug
):
    settings.DEBUG = debug
    monkeypatch.setattr(ProfileOut, "of_described", lambda person: 1 / 0)
    client = make_api_client(alice, raise_request_exception=False)
    answer = client.get(PROFILE)
    check(answer, 500, detail="Something went wrong on our side. We have been told about it.")
    assert "division" not in answer.content.decode()


def test_problems_are_in_the_language_that_is_asked_for(api_client, alice):
    alice.language = "es"
    alice.save()
    data = {"body": "x" * 281}
    for headers, words in [
        ({}, "Tu publicación tiene 281 caracteres; se permiten 280."),
        ({"accept-language": "en"}, "Your post has 281 characters; 280 are allowed."),
    ]:
        answer = api_client.post(POSTS, data, content_type="application/json", headers=headers)
        assert answer.json()["errors"][0]["detail"] == words
