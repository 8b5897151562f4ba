"""Hostile user text: pages escape it, the API returns it unchanged, forms reject the unstorable."""

import html
import json

import pytest
from model_bakery import baker

from blog.management.demo_data import EDGE_CASES
from blog.models import ApiToken, Post

pytestmark = pytest.mark.django_db

SCRIPTS = [
    "<script>alert(1)</script>",
    "</textarea><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "</title>",
]
UNSTORABLE = ["a\0b", "\u202e\u200b", "\ud800"]


def url_encoded(text):
    return {
        "data": b"body="
        + "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass")).encode()
    }


@pytest.mark.parametrize("body", [*SCRIPTS, *EDGE_CASES])
def test_pages_escape_hostile_text(client, alice, send_message, bob, body):
    post = baker.make(Post, author=alice, body=body)
    alice.about_me = body
    alice.save()
    send_message(bob, alice, body)
    client.force_login(alice)
    pages = [
        "/",
        "/explore/",
        "/@alice/",
        f"/posts/{post.pk}/",
        f"/posts/{post.pk}/edit/",
        "/messages/@bob/",
        "/settings/profile/",
    ]
    for path in pages:
        page = client.get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert '" onmouseover' not in page, path
    assert body.replace("\r\n", "\n").split("\n")[0][:20] in html.unescape(
        client.get(pages[4]).content.decode()
    )


@pytest.mark.parametrize("body", [*SCRIPTS, *EDGE_CASES])
def test_api_returns_hostile_text_unchanged(client, alice, body):
    post = baker.make(Post, author=alice, body=body)
    _, secret = ApiToken.objects.issue(alice, "A program", False)
    answer = client.get(f"/api/v1/posts/{post.pk}/", headers={"authorization": f"Bearer {secret}"})
    assert json.loads(answer.content)["body"] == post.body


@pytest.mark.parametrize("body", UNSTORABLE)
def test_unstorable_text_is_rejected(client, alice, body):
    client.force_login(alice)
    form_response = client.generic(
        "POST", "/posts/", **url_encoded(body), content_type="application/x-www-form-urlencoded"
    )
    _, secret = ApiToken.objects.issue(alice, "A program", False)
    api_response = client.post(
        "/api/v1/posts/",
        json.dumps({"body": body}),
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )
    assert api_response.status_code in (400, 422)
    assert form_response.status_code < 500
    assert "\0" not in "".join(Post.objects.values_list("body", flat=True))
