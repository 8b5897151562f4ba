"""Errors of the API: always problem details, never a page."""

import json

import pytest
from django.contrib.sessions.models import Session
from django.utils import translation

from api.problems import DETAILS, problem_response
from api.schemas import ProfileOut
from blog import rate_limits

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PROFILE = "/api/v1/profile/"
POSTS = "/api/v1/posts/"


# RFC 9110, section 15
PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def assert_problem(response, status, **more):
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"] == PHRASES[status]
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
def test_invalid_token_is_unauthorized(client, authorization):
    headers = {"authorization": authorization} if authorization is not None else {}
    response = client.get(PROFILE, headers=headers)
    assert_problem(response, 401, title="Unauthorized")
    assert response["WWW-Authenticate"] == "Bearer"
    assert response["Cache-Control"] == "no-store"


def test_session_does_not_authenticate(client, alice, django_assert_num_queries):
    client.force_login(alice)
    with django_assert_num_queries(0):
        assert_problem(client.get(PROFILE), 401)


def test_token_request_creates_no_session(api_client, alice):
    response = api_client.post(POSTS, {"body": "Hello"}, content_type="application/json")
    assert response.status_code == 201
    assert not response.cookies
    assert "Cookie" not in response["Vary"]
    assert not Session.objects.exists()


def test_token_does_not_authenticate_pages(api_client):
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
def test_read_only_token_cannot_write(make_api_client, alice, bob, method, path):
    read_only_client = make_api_client(alice, is_read_only=True)
    assert read_only_client.get(PROFILE).status_code == 200
    assert_problem(getattr(read_only_client, method)(path), 403, detail="This token may only read.")


@pytest.mark.parametrize(
    "path", ["/api/v1/", "/api/v1/nothing/", "/api/v1/posts", "/api/v2/posts/", "/api/nothing"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_path_returns_problem(api_client, method, path):
    assert_problem(getattr(api_client, method)(path), 404)


def test_wrong_method_lists_allowed_methods(api_client):
    response = api_client.put(POSTS)
    assert_problem(response, 405)
    assert set(response["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize("body", ["{", b"\xff", '{"body": "a" "b"}', "[" * 100_000])
def test_malformed_json_is_rejected(api_client, body):
    assert_problem(api_client.post(POSTS, body, content_type="application/json"), 400)


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ("{}", "body", "This is needed."),
        ('{"body": "a", "more": 1}', "more", "There is no such field."),
        ("[]", "", "This is not valid."),
        ('{"body": "a", "\\ud83e": 1}', "", "This is not valid."),
    ],
)
def test_schema_errors_name_their_fields(api_client, body, field, message):
    assert_problem(
        api_client.post(POSTS, body, content_type="application/json"),
        422,
        errors=[{"field": field, "detail": message}],
    )


def test_rate_limit_sets_retry_after(api_client, alice, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "api", rate_limits.Rate(2, 9, 3600))
    assert [api_client.get(PROFILE).status_code for _ in range(2)] == [200, 200]
    response = api_client.get(PROFILE)
    assert_problem(response, 429, title="Too Many Requests")
    assert 0 < int(response["Retry-After"]) <= 3600


def test_invalid_tokens_are_rate_limited_by_address(client, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "api", rate_limits.Rate(9, 2, 3600))
    statuses = [
        client.get(PROFILE, headers={"authorization": f"Bearer mb_{n}"}).status_code
        for n in range(3)
    ]
    assert statuses == [401, 401, 429]


def test_posts_share_rate_limit_with_pages(api_client, client, alice, settings, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setitem(rate_limits.RATES, "post", rate_limits.Rate(1, 9, 3600))
    client.force_login(alice)
    client.post("/posts/", {"body": "On the page"})
    assert_problem(api_client.post(POSTS, {"body": "Hello"}, content_type="application/json"), 429)
    assert alice.posts.count() == 1


@pytest.mark.parametrize("status", [*PHRASES])
@pytest.mark.parametrize("language", ["en", "es", "zh-hans"])
def test_title_is_english_phrase_of_status(status, language):
    with translation.override(language):
        problem = json.loads(problem_response(status).content)
        detail = str(DETAILS.get(status, DETAILS[400]))
    assert problem["type"] == "about:blank"
    assert (problem["status"], problem["title"]) == (status, PHRASES[status])
    assert problem["detail"] == detail


@pytest.mark.parametrize("debug", [True, False])
def test_server_error_hides_details(make_api_client, alice, settings, monkeypatch, debug):
    settings.DEBUG = debug
    monkeypatch.setattr(ProfileOut, "from_profile", lambda user: 1 / 0)
    client = make_api_client(alice, raise_request_exception=False)
    response = client.get(PROFILE)
    assert_problem(
        response, 500, detail="Something went wrong on our side. We have been told about it."
    )
    assert "division" not in response.content.decode()


def test_problems_are_translated(api_client, alice):
    alice.language = "es"
    alice.save()
    data = {"body": "x" * 501}
    for headers, message in [
        ({}, "Tu publicación tiene 501 caracteres; se permiten 500."),
        ({"accept-language": "en"}, "Your post has 501 characters; 500 are allowed."),
    ]:
        response = api_client.post(POSTS, data, content_type="application/json", headers=headers)
        assert response.json()["errors"][0]["detail"] == message
