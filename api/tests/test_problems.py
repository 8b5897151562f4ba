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
EXPORTS = "/api/v1/exports/"
NOTIFICATIONS_READ = "/api/v1/notifications/read/"


# RFC 9110, section 15
PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    416: "Range Not Satisfiable",
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
    assert_problem(getattr(read_only_client, method)(path), 403, detail="This token is read-only.")


@pytest.mark.parametrize(
    "path", ["/api/v1/", "/api/v1/nothing/", "/api/v1/posts", "/api/v2/posts/", "/api/nothing"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_path_returns_problem(api_client, method, path):
    assert_problem(getattr(api_client, method)(path), 404)


def test_wrong_method_lists_allowed_methods(api_client):
    response = api_client.put(POSTS)
    assert_problem(response, 405)
    assert set(response["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("body", ["{", b"\xff", '{"body": "a" "b"}', "[" * 100_000])
def test_malformed_json_is_rejected(api_client, body):
    assert_problem(api_client.post(POSTS, body, content_type="application/json"), 400)


@pytest.mark.parametrize(
    ("path", "body", "errors"),
    [
        (POSTS, {}, {"body": ""}),
        (POSTS, {"body": 5}, {"body": ""}),
        (POSTS, {"body": "a", "more": 1}, {"more": "Unknown field."}),
        (POSTS, {"x": 1, "y": 2}, {"x": "Unknown field.", "y": "Unknown field.", "body": ""}),
        (POSTS, {"body": "x" * 501, "x": 1}, {"x": "Unknown field.", "body": "501"}),
        (POSTS, {"body": "a\ud83e"}, {"body": "an incomplete character"}),
        (POSTS, {"body": "a", "\udc00": 1}, {"\udc00": "Unknown field."}),
        (
            PROFILE,
            {"about_me": "x" * 281, "time_zone": "Nowhere", "language": None, "x": 1},
            {"about_me": "281", "time_zone": "", "language": "", "x": "Unknown field."},
        ),
        (EXPORTS, {"kind": "all", "x": 1}, {"kind": "Unknown kind", "x": "Unknown field."}),
        (NOTIFICATIONS_READ, {"until": "now", "x": 1}, {"until": "a time zone", "x": "Unknown"}),
        (NOTIFICATIONS_READ, {"until": "2026-11-23T10:00:00"}, {"until": "a time zone"}),
        (NOTIFICATIONS_READ, {"until": "9999-12-31T23:59:59-12:00"}, {"until": "a time zone"}),
    ],
)
def test_all_errors_are_named_at_once(api_client, path, body, errors):
    send = api_client.patch if path == PROFILE else api_client.post
    response = send(path, json.dumps(body), content_type="application/json")
    assert_problem(response, 422)
    found = {error["field"]: error["detail"] for error in response.json()["errors"]}
    assert found.keys() == errors.keys()
    assert all(errors[field] in found[field] for field in errors), found
    assert len(response.json()["errors"]) == len(errors)


@pytest.mark.parametrize("path", [POSTS, EXPORTS, NOTIFICATIONS_READ])
@pytest.mark.parametrize("body", ["[]", "null", '"text"', "5", '[{"body": "a"}]'])
def test_body_must_be_object(api_client, path, body):
    response = api_client.post(path, body, content_type="application/json")
    assert_problem(response, 422)
    assert response.json()["detail"].startswith("The body must be a JSON object")
    assert "errors" not in response.json()


@pytest.mark.parametrize(
    "path",
    [
        POSTS,
        EXPORTS,
        "/api/v1/imports/",
        "/api/v1/timeline/",
        "/api/v1/explore/",
        "/api/v1/following/",
        "/api/v1/notifications/",
        "/api/v1/people/alice/posts/",
        "/api/v1/people/alice/followers/",
        "/api/v1/people/alice/following/",
    ],
)
@pytest.mark.parametrize("cursor", ["yesterday", "1-", "9" * 30 + "-1", ""])
def test_invalid_cursor_is_named(api_client, path, cursor):
    response = api_client.get(path, {"before": cursor})
    assert_problem(response, 422)
    (error,) = response.json()["errors"]
    assert error["field"] == "before"
    assert "isn't a valid cursor" in error["detail"]


@pytest.mark.parametrize("method", ["put", "delete"])
@pytest.mark.parametrize("name", ["alice", "ALICE"])
def test_following_oneself_is_named(api_client, alice, method, name):
    response = getattr(api_client, method)(f"/api/v1/following/{name}/")
    assert_problem(response, 422, detail="You can't follow yourself.")
    assert not alice.following.exists()


@pytest.mark.parametrize(
    "path",
    [
        PROFILE,
        POSTS,
        EXPORTS,
        "/api/v1/explore/",
        "/api/v1/people/alice/",
        "/api/v1/search/posts/?q=a",
        "/api/v1/openapi.json",
    ],
)
def test_head_answers_like_get(make_api_client, alice, path):
    client = make_api_client(alice, is_read_only=True)
    get, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Length"] == str(len(get.content))
    assert head["Content-Type"] == get["Content-Type"]


def post_json(api_client, path, content, method="post"):
    send = getattr(api_client, method)
    return send(path, json.dumps(content), content_type="application/json")


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("post", POSTS, {f"f{number}": 1 for number in range(10_000)}),
        ("patch", PROFILE, {f"f{number}": {} for number in range(9_000)}),
        ("post", "/api/v1/exports/", {"x" * 50_000: None, "y" * 50_000: None}),
        ("patch", PROFILE, {"about_me": 5} | {f"{number:064}z": [] for number in range(1000)}),
    ],
)
def test_answer_to_many_errors_is_short(api_client, method, path, fields):
    response = post_json(api_client, path, fields, method)
    assert_problem(response, 422)
    assert 1 < len(response.json()["errors"]) <= 20
    assert max(len(error["field"]) for error in response.json()["errors"]) <= 64
    assert len(response.content) < 4000


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", POSTS),
        ("patch", PROFILE),
        ("post", "/api/v1/exports/"),
        ("put", "/api/v1/following/bob/"),
        ("delete", POSTS + "1/"),
        ("post", "/api/v1/nothing/"),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_large_body_is_rejected_unread(api_client, method, path, content_type, monkeypatch):
    monkeypatch.setattr("django.core.handlers.wsgi.WSGIRequest.read", None)
    body = b'{"body": "' + b"x" * 130_000 + b'"}'
    response = getattr(api_client, method)(path, body, content_type=content_type)
    assert_problem(response, 413, detail="This is too large.")


def test_longest_text_fits_in_any_encoding(api_client, alice):
    text = "\N{OWL}" * 10_000
    post = alice.posts.create(body="short", source="mastodon", source_id="1")
    response = post_json(api_client, f"{POSTS}{post.pk}/", {"body": text}, "patch")
    assert response.status_code == 200
    assert response.json()["body"] == text


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
        response, 500, detail="Something went wrong on our side. Please try again later."
    )
    assert "division" not in response.content.decode()


def test_problems_are_translated(api_client, alice):
    alice.language = "es"
    alice.save()
    data = {"body": "x" * 501}
    for headers, message in [
        ({}, "Tu publicación tiene 501 caracteres; el límite es 500."),
        ({"accept-language": "en"}, "Your post is 501 characters long; the limit is 500."),
    ]:
        response = api_client.post(POSTS, data, content_type="application/json", headers=headers)
        assert response.json()["errors"][0]["detail"] == message
